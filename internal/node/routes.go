package node

import (
	"net/http"
	"sync/atomic"

	"rte/internal/admin"
	"rte/internal/event/gen"
	"rte/internal/ops"
	"rte/signalr/transport"
)

// receive answers requests from now on: those of operators, and to all others
// that they shall come again, until serve is called. A node may have to wait
// for its cluster, and who is not answered waits with it.
func (n *Node) receive() {
	n.ops.Handle(admin.Path, &n.operatorHall)
	if n.cfg.Pprof {
		n.ops.Handle(ops.ProfilesPath, &n.operatorHall)
	}
	n.admin.serve(n.ops, n.adminTLS(), n.log)
	n.public.serve(&n.hall, n.cert.config(), n.log)
	if n.publish != nil {
		n.publish.serve(&n.publishHall, n.cert.config(), n.log)
	}
}

// A hall is a handler whose room is made later.
type hall struct{ room atomic.Pointer[http.Handler] }

func (h *hall) open(room http.Handler) { h.room.Store(&room) }

// close asks everybody to come again, and to another node.
func (h *hall) close() { h.room.Store(nil) }

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
	events := limitRead(n.ingest).ServeHTTP
	published := sharing{path: n.cfg.BasePath + "/api/v1/events", method: http.MethodPost, rest: true, headers: "content-type, content-encoding"}
	stream := sharing{path: n.cfg.BasePath + "/api/v1/stream", method: http.MethodGet}
	me := sharing{path: n.cfg.BasePath + "/api/v1/me", method: http.MethodGet}
	mux := http.NewServeMux()
	base := n.cfg.BasePath
	about := gen.Options{BasePath: base, CatalogNames: n.cfg.EventNameCase == "catalog", Plain: !n.cfg.PushExtras}
	if n.publish == nil {
		n.share(mux, published, events)
	} else {
		doors := http.NewServeMux()
		n.share(doors, published, events)
		n.documents(doors, base+"/api/v1", about)
		n.ownAPI(doors, base+"/api/v1")
		n.share(doors, me, n.me)
		n.share(doors, stream, n.stream)
		n.publishHall.open(front(doors, n.log))
	}
	about.NoPublish, about.DevTokens = n.publish != nil, n.cfg.DevTokens
	n.documents(mux, base+"/api/v1", about)
	n.ownAPI(mux, base+"/api/v1")
	n.share(mux, me, n.me)
	n.share(mux, stream, n.stream)
	mux.Handle("GET "+base+"/wallboard/", http.StripPrefix(base, ops.Pages()))
	mux.Handle("GET "+base+"/client/", http.StripPrefix(base+"/client", ops.Client()))
	if n.cfg.DevTokens {
		mux.HandleFunc("GET "+base+"/token/{user}/rte/", n.devToken)
	}
	n.hall.open(front(transport.Mount(base+hubPath, n.transport, mux), n.log))
}
