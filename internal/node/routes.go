package node

import (
	"net/http"
	"sync/atomic"

	"rte/internal/event/gen"
	"rte/internal/ops"
	"rte/signalr/transport"
)

// receive answers requests from now on: those of operators, and to all others
// that they shall come again, until serve is called. A node may have to wait
// for its cluster, and who is not answered waits with it.
func (n *Node) receive() {
	n.admin.serve(n.ops, nil, n.log)
	n.public.serve(&n.hall, n.cert, n.log)
	if n.publish != nil {
		n.publish.serve(&n.publishHall, n.cert, n.log)
	}
}

// A hall is a handler whose room is made later.
type hall struct{ room atomic.Pointer[http.Handler] }

func (h *hall) open(room http.Handler) { h.room.Store(&room) }

// ServeHTTP leads into the room, or asks to come again.
func (h *hall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if room := h.room.Load(); room != nil {
		(*room).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// serve puts everything at its path and lets requests in.
func (n *Node) serve() {
	events := limitRead(n.ingest)
	mux := http.NewServeMux()
	base := n.cfg.BasePath
	about := gen.Options{BasePath: base, CatalogNames: n.cfg.EventNameCase == "catalog", Plain: !n.cfg.PushExtras}
	if n.publish == nil {
		mux.Handle(base+"/api/v1/events", events)
	} else {
		doors := http.NewServeMux()
		doors.Handle(base+"/api/v1/events", events)
		n.documents(doors, base+"/api/v1", about)
		n.aboutMe(doors, base+"/api/v1/me")
		n.ownAPI(doors, base+"/api/v1")
		n.publishHall.open(front(doors, n.log))
	}
	about.NoPublish, about.DevTokens = n.publish != nil, n.cfg.DevTokens
	n.documents(mux, base+"/api/v1", about)
	n.aboutMe(mux, base+"/api/v1/me")
	n.ownAPI(mux, base+"/api/v1")
	mux.Handle("GET "+base+"/wallboard/", http.StripPrefix(base, ops.Pages()))
	if n.cfg.DevTokens {
		mux.HandleFunc("GET "+base+"/token/{user}/rte/", n.devToken)
	}
	n.hall.open(front(transport.Mount(base+hubPath, n.transport, mux), n.log))
}
