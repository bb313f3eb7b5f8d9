package node

import (
	"net/http"

	"rte/internal/event/gen"
	"rte/internal/ops"
	"rte/signalr/transport"
)

// serve puts everything at its path and lets requests in.
func (n *Node) serve() {
	n.admin.serve(n.ops, nil, n.log)
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
		n.publish.serve(doors, n.cert, n.log)
	}
	about.NoPublish, about.DevTokens = n.publish != nil, n.cfg.DevTokens
	n.documents(mux, base+"/api/v1", about)
	mux.Handle("GET "+base+"/wallboard/", http.StripPrefix(base, ops.Pages()))
	if n.cfg.DevTokens {
		mux.HandleFunc("GET "+base+"/token/{user}/rte/", n.devToken)
	}
	n.public.serve(transport.Mount(base+hubPath, n.transport, mux), n.cert, n.log)
}
