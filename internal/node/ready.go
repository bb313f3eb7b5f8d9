package node

// starting is why a node is not ready that is not yet made.
const starting = "starting"

// logReady says where the node is to be found.
func (n *Node) logReady() {
	about := []any{"hub", n.HubURL(), "admin", n.AdminURL()}
	if !n.external() {
		about = append(about, "data", n.cfg.DataDir)
	}
	if url := n.NATSURL(); url != "" {
		about = append(about, "nats", url)
	}
	n.log.Info("ready", about...)
}

// ready says why clients and load balancers should go elsewhere, "" if they
// are welcome.
func (n *Node) ready() string {
	if why := n.state.Load().(string); why != "" {
		return why
	}
	if err := n.bus.Ready(); err != nil {
		return "the event store is away: " + err.Error()
	}
	return n.verifier.Lacking()
}
