package node

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/ingest"
	"rte/signalr/transport"
)

// authenticate lets a client in (transport.Options.Authenticate). The reason
// of a refusal is logged and counted; the client is told only 401.
func (n *Node) authenticate(r *http.Request) (any, error) {
	p, err := n.verifier.Verify(r.Context(), auth.Token(r))
	if err != nil {
		return nil, n.refused(r, err)
	}
	if !p.MayConnect() {
		n.log.Info("client refused", "remote", r.RemoteAddr, "who", p, "reason", "this role does not use the hub")
		return nil, &transport.Refusal{Status: http.StatusForbidden}
	}
	return p, nil
}

// confirm lets a poll or a POST of an open connection pass
// (transport.Options.Confirm): with a token that has expired meanwhile, but
// never with another user's.
func (n *Node) confirm(r *http.Request, user any) error {
	p, ok := user.(*auth.Principal)
	if !ok {
		return auth.ErrOther
	}
	err := n.verifier.Confirm(r.Context(), auth.Token(r), p)
	if errors.Is(err, auth.ErrOther) {
		n.log.Warn("request refused", "remote", r.RemoteAddr, "who", p, "reason", "another user's connection")
		return &transport.Refusal{Status: http.StatusForbidden}
	}
	if why, ok := auth.Refused(err); ok && why == auth.ReasonRevoked && r.Method == http.MethodDelete {
		return nil // whoever was sent away may say goodbye
	}
	if err != nil {
		return n.refused(r, err)
	}
	return nil
}

// publisher lets a producer in (ingest.NewHTTP).
func (n *Node) publisher(r *http.Request) (ingest.Publisher, error) {
	// In the header only: a token in the query is for clients of the hub that
	// can do no better.
	p, err := n.verifier.Verify(r.Context(), auth.Token(&http.Request{Header: r.Header, URL: &url.URL{}}))
	if err != nil {
		if err = n.refused(r, err); status(err) == http.StatusServiceUnavailable {
			err = ingest.ErrUndecided
		}
		return ingest.Publisher{}, err
	}
	if body, ok := r.Body.(*patientBody); ok {
		body.who = p
	}
	switch p.Role {
	case auth.Service:
		return ingest.Publisher{Org: p.Org}, nil
	case auth.Platform:
		return ingest.Publisher{Any: true}, nil
	}
	n.log.Info("publisher refused", "remote", r.RemoteAddr, "who", p, "reason", "role")
	return ingest.Publisher{}, ingest.ErrForbidden
}

// refused writes why a token has not let somebody in: never the token, nor the
// query it may be in. It returns what to answer: the token's own error, which
// is 401, or a [transport.Refusal] with 503, where nobody can say now.
func (n *Node) refused(r *http.Request, err error) error {
	if u, ok := errors.AsType[*auth.Unavailable](err); ok {
		n.log.Info("token not judged", "remote", r.RemoteAddr, "path", r.URL.Path, "reason", u.Needed.String(), "err", u.Err)
		return &transport.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: u.RetryAfter}
	}
	reason := "unknown"
	if why, ok := auth.Refused(err); ok {
		reason = why.String()
	}
	n.log.Info("token refused", "remote", r.RemoteAddr, "path", r.URL.Path, "reason", reason, "err", err)
	return err
}

// status is the answer to an error of refused.
func status(err error) int {
	if refusal, ok := errors.AsType[*transport.Refusal](err); ok {
		return refusal.Status
	}
	return http.StatusUnauthorized
}

// readPatience is how long a producer may send nothing in the middle of a
// body. A stream of events may last for days, so there is no bound on the
// whole.
const readPatience = time.Minute

// limitRead bounds the wait for each piece of a request's body, and ends a body
// whose sender's token is taken back in the middle of it.
func limitRead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &patientBody{ReadCloser: r.Body, control: http.NewResponseController(w)}
		next.ServeHTTP(w, r)
	})
}

type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	who     *auth.Principal // whose it is; nil until that is known
}

// errRevoked is what a body ends with whose sender may send no more.
var errRevoked = errors.New("the token has been revoked")

func (b *patientBody) Read(p []byte) (int, error) {
	b.control.SetReadDeadline(time.Now().Add(readPatience)) //nolint:errcheck // HTTP/2 streams may not support it; then the connection's own limits hold
	n, err := b.ReadCloser.Read(p)
	if b.who != nil && b.who.Revoked() {
		b.control.SetReadDeadline(time.Now()) //nolint:errcheck // as above; what is left of the body is not waited for
		return 0, errRevoked
	}
	return n, err
}

// devTokenLife is how long a developer's token is good.
const devTokenLife = 12 * time.Hour

// devToken answers like the platform's own REST API: {"WSSEndpoint", "Token"}
// for the user in the path. The query may name org, role, and any number of
// queue, list and (visible) user; the organization is Config's (demo) or the zero Guid.
func (n *Node) devToken(w http.ResponseWriter, r *http.Request) {
	if !n.cfg.InsecureDev && !local(w, r) {
		n.log.Warn("developer token refused", "remote", r.RemoteAddr, "reason", "the request is not from a page of this machine")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	q := r.URL.Query()
	claims := auth.Claims{Expires: time.Now().Add(devTokenLife)}
	fail := func(text string) { answer(w, http.StatusBadRequest, whyNot{Error: text}) }
	var err error
	if claims.User, err = event.ParseGUID(r.PathValue("user")); err != nil {
		fail("the user in the path: " + err.Error())
		return
	}
	claims.Org = n.cfg.DevOrg
	if text := q.Get("org"); text != "" {
		if claims.Org, err = event.ParseGUID(text); err != nil {
			fail("org: " + err.Error())
			return
		}
	}
	role := q.Get("role")
	if role == "" {
		role = auth.User.String()
	}
	ok := false
	if claims.Role, ok = auth.ParseRole(role); !ok {
		fail("role: one of user, groupmanager, supervisor, service, platform, admin")
		return
	}
	for name, list := range map[string]*[]event.GUID{"queue": &claims.Queues, "list": &claims.Lists, "user": &claims.Users} {
		for _, text := range q[name] {
			id, err := event.ParseGUID(text)
			if err != nil {
				fail(name + ": " + err.Error())
				return
			}
			*list = append(*list, id)
		}
	}
	token, err := n.cfg.Sign(claims)
	if err != nil {
		fail(err.Error())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, struct {
		WSSEndpoint string
		Token       string
	}{r.Host + n.cfg.BasePath + hubPath, token})
}

// local tells whether a request is meant for this machine and does not come
// from a page of another: a site that a developer visits must not be able to
// fetch a token here. A page of this machine may read the answer.
func local(w http.ResponseWriter, r *http.Request) bool {
	if !loopback(r.Host) && !loopback(net.JoinHostPort(r.Host, "80")) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || !loopback(net.JoinHostPort(u.Hostname(), "80")) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
	return true
}
