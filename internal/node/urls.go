package node

// hubPath is where the hub is, below the base path.
const hubPath = "/rte"

// URL is the public listener's address with the base path, as
// http://host:port or https://host:port.
func (n *Node) URL() string { return n.public.url() + n.cfg.BasePath }

// PublishURL is the address of the publish API with the base path; the same as
// URL unless Config.PublishListen sets it apart.
func (n *Node) PublishURL() string {
	if n.publish == nil {
		return n.URL()
	}
	return n.publish.url() + n.cfg.BasePath
}

// HubURL is where clients connect.
func (n *Node) HubURL() string { return n.URL() + hubPath }

// AdminURL is the admin listener's address.
func (n *Node) AdminURL() string { return n.admin.url() }
