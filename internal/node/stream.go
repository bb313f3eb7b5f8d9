package node

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/limit"
	"rte/internal/tail"
)

// stream serves GET /api/v1/stream: back-end programs read what is stored of an
// organization.
func (n *Node) stream(w http.ResponseWriter, r *http.Request) {
	// In the header only, as where events are published.
	p, err := n.verifier.Verify(r.Context(), auth.Token(&http.Request{Header: r.Header, URL: &url.URL{}}))
	if err != nil {
		n.deny(w, n.refused(r, err))
		return
	}
	who := tail.Reader{Org: p.Org}
	if n.cfg.CloseOnExpiry {
		who.Until = p.Expires
	}
	fail := func(status int, text string) {
		n.log.Info("stream refused", "remote", r.RemoteAddr, "who", p, "reason", text)
		answer(w, status, whyNot{Error: text})
	}
	switch text := r.URL.Query().Get("org"); {
	case p.Role != auth.Service && p.Role != auth.Platform:
		fail(http.StatusForbidden, "this token's role may not read streams; service and platform may")
		return
	case p.Role == auth.Platform && text == "":
		fail(http.StatusBadRequest, "org: a token of role platform belongs to no organization; name the one to read")
		return
	case text != "":
		org, err := event.ParseGUID(text)
		if err != nil {
			fail(http.StatusBadRequest, "org: "+err.Error())
			return
		}
		if p.Role == auth.Service && org != p.Org {
			fail(http.StatusForbidden, "org: this token is another organization's")
			return
		}
		who.Org = org
	}
	place := limit.Who{Org: who.Org}
	if full := n.limits.streams.Take(place); full != limit.None {
		busy := refusal(full, fullRetry)
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter/time.Second)))
		fail(busy.Status, "too many streams are open; close one, or try again after Retry-After seconds")
		return
	}
	defer n.limits.streams.Give(place)
	life, done := n.standing.hold(r.Context(), p)
	defer done()
	n.tail.Serve(w, r.WithContext(life), who)
}
