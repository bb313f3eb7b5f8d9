package node

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"rte/internal/bus"
)

// Requests of a connection that another node has. A load balancer gives each
// poll, each POST and each new socket to any node; the one that gets it asks
// the others, and passes it on to the one that has the connection, which
// answers as if it had got it itself. No node need know where a connection is,
// and no cookie says it.
type elsewhere struct {
	peers  *bus.Peers
	server *http.Server // for what the others pass on
	proxy  *httputil.ReverseProxy
	node   *Node
	done   chan struct{}

	leaving context.Context // ends when this node drains
	leave   context.CancelFunc

	passed, failed atomic.Uint64
}

// clientHeader tells the other node the client's address. It counts only where
// another node sends it.
const clientHeader = "Rte-Client"

// meetOthers begins to take part, where there may be other nodes.
func (n *Node) meetOthers() error {
	if !n.shared() {
		return nil
	}
	peers, err := n.bus.Peers(n.transport.Cede)
	if err != nil {
		return err
	}
	e := &elsewhere{peers: peers, node: n, done: make(chan struct{})}
	e.leaving, e.leave = context.WithCancel(context.Background())
	e.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			node, _ := r.In.Context().Value(nodeKey{}).(string)
			r.SetURL(&url.URL{Scheme: "http", Host: node})
			r.Out.Host = r.In.Host // what pages of other origins are compared with
			r.Out.Header.Set(clientHeader, r.In.RemoteAddr)
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				node, _, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return peers.Dial(ctx, node)
			},
			DisableKeepAlives: true, DisableCompression: true,
		},
		FlushInterval: -1,
		ErrorHandler:  e.lost,
		ErrorLog:      quiet(n.log),
	}
	e.server = &http.Server{Handler: http.HandlerFunc(e.serve), ReadHeaderTimeout: headTimeout, MaxHeaderBytes: maxHead + 1<<10, ErrorLog: quiet(n.log)}
	go func() {
		defer close(e.done)
		_ = e.server.Serve(peers) // ends with Close
	}()
	n.elsewhere.Store(e)
	return nil
}

// nodeKey is where a request's context has the name of the node to pass it to.
type nodeKey struct{}

// fromOther is where a request's context says that another node has passed it
// on: it is not passed on again.
type fromOther struct{}

// serve answers what another node passes on.
func (e *elsewhere) serve(w http.ResponseWriter, r *http.Request) {
	if client := r.Header.Get(clientHeader); client != "" {
		r.RemoteAddr = client
		r.Header.Del(clientHeader)
	}
	e.node.hall.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), fromOther{}, true)))
}

// others is what the transport asks about connections that it does not have.
func (n *Node) others() func(http.ResponseWriter, *http.Request, string) bool {
	if !n.shared() {
		return nil
	}
	return n.passOn
}

// passOn gives a request to the node that has its connection
// (transport.Options.Elsewhere).
func (n *Node) passOn(w http.ResponseWriter, r *http.Request, id string) bool {
	e := n.elsewhere.Load()
	if e == nil || r.Context().Value(fromOther{}) != nil {
		return false
	}
	node, err := e.peers.Find(r.Context(), id)
	if err != nil {
		n.log.Warn("cannot ask the other nodes for a connection", "conn", id, "err", err)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if node == "" {
		return false
	}
	e.passed.Add(1)
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), nodeKey{}, node))
	defer cancel()
	if r.Method == http.MethodGet { // polls and sockets last
		defer context.AfterFunc(e.leaving, cancel)()
	}
	e.proxy.ServeHTTP(w, r.WithContext(ctx))
	return true
}

// lost answers when the other node has gone, and the connection with it.
func (e *elsewhere) lost(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		// What was on its way to the client may be lost, so it must not get an
		// answer that lets it go on.
		panic(http.ErrAbortHandler)
	}
	e.failed.Add(1)
	e.node.log.Info("a request could not be passed on to the node that had its connection", "remote", r.RemoteAddr, "err", err)
	w.WriteHeader(http.StatusNotFound)
}

// hasteOthers cuts what this node passes on and what lasts: the clients come
// again, to another node.
func (n *Node) hasteOthers() {
	if e := n.elsewhere.Load(); e != nil {
		e.leave()
	}
}

// leaveOthers ends what meetOthers began.
func (n *Node) leaveOthers() {
	e := n.elsewhere.Load()
	if e == nil {
		return
	}
	e.leave()
	e.server.Close() //nolint:errcheck // what is left is cut
	_ = e.peers.Close()
	<-e.done
}

// tokenSecret signs the tokens of connections: the same on all nodes that share
// a store, made by the first of them.
func (n *Node) tokenSecret(ctx context.Context) ([]byte, error) {
	if !n.shared() {
		return nil, nil // the transport makes its own
	}
	kv, err := bus.OpenKV[[]byte](ctx, n.bus, "secret")
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails (crypto/rand)
	return kv.First(ctx, "connections", secret)
}

// shared tells whether other nodes may have connections of the same hub.
func (n *Node) shared() bool { return n.external() || n.cfg.ClusterName != "" }

// otherFigures are about what this node has to do with others.
func (n *Node) otherFigures(one func(name, help string, v float64)) {
	e := n.elsewhere.Load()
	if e == nil {
		return
	}
	p := e.peers.Stats()
	one("other_nodes", "Other nodes that this one has heard of lately.", float64(p.Others))
	one("passed_on_requests_total", "Requests passed on to the node that has their connection.", float64(e.passed.Load()))
	one("passed_on_failures_total", "Of these: without success, because that node has gone.", float64(e.failed.Load()))
}
