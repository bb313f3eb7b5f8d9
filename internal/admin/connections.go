package admin

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"rte/internal/event"
)

// A Filter says which connections are meant; what is zero does not count.
type Filter struct {
	User   event.GUID `json:"user,omitzero"`
	Org    event.GUID `json:"org,omitzero"`
	Entity event.GUID `json:"entity,omitzero"` // with a subscription to something of it
	After  string     `json:"after,omitempty"` // ids behind this one
	Limit  int        `json:"limit"`
}

// A Connection is what is told of one. Its id is good to end it, never to speak
// for it.
type Connection struct {
	ID            string     `json:"id"`
	Node          string     `json:"node"`
	User          event.GUID `json:"userId,omitzero"`
	Org           event.GUID `json:"organizationId"`
	Role          string     `json:"role"`
	Transport     string     `json:"transport"`
	Protocol      string     `json:"protocol,omitempty"`
	Connected     time.Time  `json:"connected"`
	TokenExpires  time.Time  `json:"tokenExpires"`
	Subscriptions int        `json:"subscriptions"`
}

// A look is one node's answer: as many as are asked for, and how many there
// are.
type look struct {
	Connections []Connection `json:"connections"`
	Total       int          `json:"total"`
}

// Pages of the list. A node's answer to another must fit into one message.
const (
	usualPage = 100
	mostPage  = 1000
)

// lookHere is this node's part of a page.
func (h *Handler) lookHere(f Filter) look {
	all := h.o.Connections(f)
	l := look{Total: len(all)}
	first := sort.Search(len(all), func(i int) bool { return all[i].ID > f.After })
	l.Connections = all[first:min(first+min(f.Limit, mostPage+1), len(all))]
	for i := range l.Connections {
		l.Connections[i].Node = h.o.Node
	}
	return l
}

// listConnections serves GET /admin/v1/connections.
func (h *Handler) listConnections(r *request) (any, error) {
	q := r.URL.Query()
	f := Filter{After: q.Get("after"), Limit: usualPage}
	var err error
	for _, part := range []struct {
		name string
		to   *event.GUID
	}{{"user", &f.User}, {"org", &f.Org}, {"entity", &f.Entity}} {
		if *part.to, err = id(q.Get(part.name)).optional(part.name); err != nil {
			return nil, err
		}
		r.logAbout(part.name, *part.to)
	}
	if text := q.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 || f.Limit > mostPage {
			return nil, bad("limit: a number from 1 to " + strconv.Itoa(mostPage))
		}
	}
	for name := range q {
		if !slices.Contains([]string{"user", "org", "entity", "after", "limit"}, name) {
			return nil, bad("there is no filter " + strconv.Quote(name) + "; there are user, org, entity, limit and after")
		}
	}
	limit := f.Limit
	f.Limit++ // so that it shows whether there are more
	looks, missing, err := h.looks.All(r.Context(), f, closeWait)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Connections []Connection `json:"connections"`
		Total       int          `json:"total"`
		Next        string       `json:"next,omitempty"` // for after
		Missing     int          `json:"nodesMissing,omitempty"`
	}{Connections: []Connection{}, Missing: missing}
	for _, l := range looks {
		answer.Connections = append(answer.Connections, l.Connections...)
		answer.Total += l.Total
	}
	slices.SortFunc(answer.Connections, func(a, b Connection) int { return strings.Compare(a.ID, b.ID) })
	if len(answer.Connections) > limit {
		answer.Connections = answer.Connections[:limit]
		answer.Next = answer.Connections[limit-1].ID
	}
	return answer, nil
}

// closeWait bounds the wait for the other nodes.
const closeWait = time.Second

// endConnection serves DELETE /admin/v1/connections/{id}.
func (h *Handler) endConnection(r *request) (any, error) {
	conn := r.PathValue("id")
	if len(conn) > 64 {
		return nil, bad("the id is longer than any connection's")
	}
	answers, missing, err := h.closings.All(r.Context(), conn, closeWait)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(answers, true):
		r.about = append(r.about, "conn", conn)
		return struct {
			Closed int `json:"closed"`
		}{1}, nil
	case missing > 0:
		return nil, &problem{http.StatusServiceUnavailable, "the nodes that answered do not have it, and " + strconv.Itoa(missing) + " did not answer; try again"}
	}
	return nil, &problem{http.StatusNotFound, "there is no connection of that id"}
}
