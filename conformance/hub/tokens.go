package main

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A holder is who has shown a token. A token is no secret here: it is its
// holder's name and for how long it holds, such as "alice-for-1h0m0s".
type holder struct {
	name  string
	until time.Time
}

// tokenOf makes a token.
func tokenOf(name string, holds time.Duration) string { return name + "-for-" + holds.String() }

// errToken is the answer to anything else.
var errToken = errors.New("no token")

// bearer says whose token a request has: the header's before the query's. It
// holds from now on.
func bearer(r *http.Request) (holder, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = r.URL.Query().Get("access_token")
	}
	name, holds, ok := strings.Cut(token, "-for-")
	d, err := time.ParseDuration(holds)
	if !ok || err != nil || d <= 0 {
		return holder{}, errToken
	}
	return holder{name, time.Now().Add(d)}, nil
}

// tokens lets in who shows a token, and asks for the same holder's ever after.
func tokens(_ *site, h *hub.Options, t *transport.Options) {
	t.Authenticate = func(r *http.Request) (any, error) { return bearer(r) }
	t.Confirm = func(r *http.Request, user any) error {
		who, err := bearer(r)
		if err == nil && who.name != user.(holder).name {
			err = &transport.Refusal{Status: http.StatusForbidden}
		}
		return err
	}
	h.UserID = func(c *hub.Conn) string { return c.User().(holder).name }
}

// refreshing ends connections with their tokens, and lets clients show new
// ones.
func refreshing(s *site, h *hub.Options, t *transport.Options) {
	tokens(s, h, t)
	t.Refresh = true
	t.Lifetime = func(user any) time.Duration { return time.Until(user.(holder).until).Round(time.Second) }
	h.Expires = func(user any) time.Time { return user.(holder).until }
	h.OnRefreshed = func(c *hub.Conn) { s.diary.write(entry{Site: s.path, ID: c.ID(), What: "refreshed"}) }
}
