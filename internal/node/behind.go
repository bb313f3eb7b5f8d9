package node

import (
	"net/http"
	"time"

	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A node that is cut from a store that others write to, too, hears nothing of
// what happens, and its clients would take that for peace. So they are sent
// away after Config.MaxBehind, with leave to come back: another node has what
// they miss, and this one lets nobody in until it hears again.

// closeBehind is why they are closed.
const closeBehind hub.CloseReason = "behind"

const (
	// mindEvery is how often the store's silence is looked at.
	mindEvery = 250 * time.Millisecond
	// sendAway is over how long clients are sent away: they must not all arrive
	// elsewhere at once.
	sendAway = 5 * time.Second
	// behindRetry is the Retry-After of who is not let in.
	behindRetry = 5 * time.Second
)

// cutOff tells whether clients of this node may be too far behind.
func (n *Node) cutOff() bool {
	return n.cfg.MaxBehind > 0 && n.bus.Silent() > n.cfg.MaxBehind
}

// mindStore sends clients away while the node is cut off. It ends when the node
// drains.
func (n *Node) mindStore() {
	tick := time.NewTicker(mindEvery)
	defer tick.Stop()
	was, portion := false, 0 // portion is how many go at a time
	for {
		select {
		case <-n.leaving:
			return
		case <-tick.C:
		}
		is := n.cutOff()
		if !is {
			if was {
				n.log.Info("the store can be heard again, clients are welcome")
			}
			was = false
			continue
		}
		open := n.hub.Conns()
		if !was {
			n.log.Error("this node is cut from the store: clients are sent elsewhere", "clients", len(open), "reason", string(closeBehind), "took", n.bus.Silent())
			portion = 1 + len(open)/int(sendAway/mindEvery)
		}
		was = true
		for _, c := range open[:min(portion, len(open))] {
			c.Close(closeBehind, string(closeBehind), true)
		}
	}
}

// admit refuses a client that would be behind from the start.
func (n *Node) admit(r *http.Request, user any) error {
	if !n.cutOff() {
		return nil
	}
	n.log.Debug("client refused", "remote", r.RemoteAddr, "who", user, "reason", "this node is cut from the store")
	return &transport.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: behindRetry}
}
