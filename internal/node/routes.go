package node

import (
	"net/http"

	"rte/internal/event/gen"
	"rte/internal/ops"
	"rte/signalr/transport"
)

// serve puts everything at its path and lets requests in.
func (n *Node) serve() {
	n.admin.serve(n.ops, n.adminTLS(), n.log)
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
		n.publish.serve(front(doors, n.log), n.cert.config(), n.log)
	}
	about.NoPublish, about.DevTokens = n.publish != nil, n.cfg.DevTokens
	n.documents(mux, base+"/api/v1", about)
	n.aboutMe(mux, base+"/api/v1/me")
	mux.Handle("GET "+base+"/wallboard/", http.StripPrefix(base, ops.Pages()))
	if n.cfg.DevTokens {
		mux.HandleFunc("GET "+base+"/token/{user}/rte/", n.devToken)
	}
	n.public.serve(front(transport.Mount(base+hubPath, n.transport, mux), n.log), n.cert.config(), n.log)
}
