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
	events := limitRead(n.ingest).ServeHTTP
	published := sharing{path: n.cfg.BasePath + "/api/v1/events", method: http.MethodPost, rest: true, headers: "content-type, content-encoding"}
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
		n.share(doors, me, n.me)
		n.publish.serve(front(doors, n.log), n.cert, n.log)
	}
	about.NoPublish, about.DevTokens = n.publish != nil, n.cfg.DevTokens
	n.documents(mux, base+"/api/v1", about)
	n.share(mux, me, n.me)
	mux.Handle("GET "+base+"/wallboard/", http.StripPrefix(base, ops.Pages()))
	if n.cfg.DevTokens {
		mux.HandleFunc("GET "+base+"/token/{user}/rte/", n.devToken)
	}
	n.public.serve(front(transport.Mount(base+hubPath, n.transport, mux), n.log), n.cert, n.log)
}
