package node

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/signalr/transport"
)

// me is the answer to /api/v1/me. Members that do not apply are left out.
type me struct {
	UserID         string `json:"userId,omitempty"`
	UserName       string `json:"userName,omitempty"`
	Subject        string `json:"subject,omitempty"` // of an operator that is no user
	OrganizationID string `json:"organizationId,omitempty"`
	Role           string `json:"role"`

	// EveryID: the role reaches every user, queue and list of the
	// organization; the arrays have those that are known by the directory.
	EveryID bool `json:"everyId"`
	// OpenAvailability: the UserAvailability of the whole organization may be
	// heard.
	OpenAvailability bool    `json:"openAvailability"`
	Users            []named `json:"users"` // beside the caller itself
	Queues           []named `json:"queues"`
	Lists            []named `json:"lists"`

	TokenID  string `json:"tokenId,omitempty"`
	IssuedAt string `json:"issuedAt,omitempty"`
	Expires  string `json:"expires"`
	Time     string `json:"time"` // of this node
}

type named struct {
	ID   event.GUID `json:"id"`
	Name string     `json:"name,omitempty"`
}

// me answers who the token's owner is.
func (n *Node) me(w http.ResponseWriter, r *http.Request) {
	if p := n.verified(w, r); p != nil {
		answer(w, http.StatusOK, n.describe(p))
	}
}

// verified is whose token came with a request for what is the caller's own; nil
// where it has been answered.
func (n *Node) verified(w http.ResponseWriter, r *http.Request) *auth.Principal {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Authorization")
	p, err := n.verifier.Verify(r.Context(), auth.Token(r))
	if err != nil {
		n.deny(w, n.refused(r, err))
		return nil
	}
	return p
}

// answer answers in JSON.
func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the client has gone
}

// whyNot is the body of an answer that says why not.
type whyNot struct {
	Error  string `json:"error"`
	Member string `json:"member,omitempty"` // of the body, that is wrong
}

// deny answers who is not let in, with an error of refused.
func (n *Node) deny(w http.ResponseWriter, err error) {
	if busy, ok := errors.AsType[*transport.Refusal](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int((busy.RetryAfter+time.Second-1)/time.Second)))
	} else {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status(err))
}

// describe is a principal as its owner is told of it.
func (n *Node) describe(p *auth.Principal) *me {
	m := &me{
		Role: p.Role.String(), Subject: p.Subject, TokenID: p.ID,
		EveryID:          p.Role == auth.Supervisor || p.Role == auth.Service,
		OpenAvailability: n.cfg.OpenAvailability && p.MayConnect(),
		Expires:          stamp(p.Expires),
		Time:             stamp(time.Now()),
	}
	if !p.User.IsZero() {
		m.UserID, m.UserName = p.User.String(), n.directory.Name(p.Org, auth.Users, p.User)
	}
	if !p.Org.IsZero() {
		m.OrganizationID = p.Org.String()
	}
	if !p.IssuedAt.IsZero() {
		m.IssuedAt = stamp(p.IssuedAt)
	}
	m.Users = n.visible(p, auth.Users, p.Users, m.EveryID)
	m.Queues = n.visible(p, auth.Queues, p.Queues, m.EveryID)
	m.Lists = n.visible(p, auth.Lists, p.Lists, m.EveryID)
	return m
}

// visible are the ids of a sort that the principal may see, with the names
// that are known.
func (n *Node) visible(p *auth.Principal, s auth.Sort, set auth.Set, every bool) []named {
	list := []named{}
	for _, id := range set.IDs() {
		list = append(list, named{id, n.directory.Name(p.Org, s, id)})
	}
	if !every {
		return list
	}
	for _, e := range n.directory.Entries(p.Org, s) {
		if !set.Has(e.ID) {
			list = append(list, named{e.ID, e.Name})
		}
	}
	return list
}

// stamp is a moment as pushes carry it: UTC, milliseconds, Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
