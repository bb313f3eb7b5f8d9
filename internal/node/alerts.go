package node

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"rte/internal/auth"
	"rte/internal/derive"
	"rte/internal/event"
	"rte/signalr/transport"
)

// Limits of alerts.
const (
	maxAlerts     = 100     // of a user
	maxAlertBytes = 8 << 10 // of a condition
)

// An alertView is an alert as its user sees it.
type alertView struct {
	ID event.GUID `json:"alertId"`
	derive.Condition
	Created string `json:"created"`
}

func viewOf(a *derive.Alert) alertView { return alertView{a.ID, a.Condition, stamp(a.Created)} }

// refusal is the body of an answer that says why not.
type refusal struct {
	Error  string `json:"error"`
	Member string `json:"member,omitempty"` // of the body, that is wrong
}

// ownAPI serves what belongs to the caller, for pages of the origins that may
// use the hub, too.
func (n *Node) ownAPI(mux *http.ServeMux, path string) {
	for _, route := range []struct {
		method, path string
		answer       func(w http.ResponseWriter, r *http.Request, p *auth.Principal)
	}{
		{http.MethodGet, "/alerts", n.listAlerts},
		{http.MethodPost, "/alerts", n.addAlert},
		{http.MethodDelete, "/alerts/{id}", n.deleteAlert},
		{http.MethodGet, "/figures", n.answerFigures},
	} {
		mux.HandleFunc(route.method+" "+path+route.path, func(w http.ResponseWriter, r *http.Request) {
			if p := n.caller(w, r); p != nil {
				route.answer(w, r, p)
			}
		})
	}
	for _, p := range []string{"/alerts", "/alerts/{id}", "/figures"} {
		mux.HandleFunc("OPTIONS "+path+p, func(w http.ResponseWriter, r *http.Request) {
			if n.allowPage(w, r) {
				h := w.Header()
				h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE, OPTIONS")
				h.Set("Access-Control-Allow-Headers", "authorization, content-type")
				h.Set("Access-Control-Max-Age", "7200")
				w.WriteHeader(http.StatusNoContent)
			}
		})
	}
}

// caller is whose token came with a request; nil where it has been answered.
// Only users' own tokens count: what is here is somebody's, or seen by somebody.
func (n *Node) caller(w http.ResponseWriter, r *http.Request) *auth.Principal {
	if !n.allowPage(w, r) {
		return nil
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Authorization")
	p, err := n.verifier.Verify(r.Context(), auth.Token(r))
	if err != nil {
		err = n.refused(r, err)
		if busy, ok := errors.AsType[*transport.Refusal](err); ok {
			h.Set("Retry-After", strconv.Itoa(int((busy.RetryAfter+time.Second-1)/time.Second)))
		} else {
			h.Set("WWW-Authenticate", "Bearer")
		}
		w.WriteHeader(status(err))
		return nil
	}
	if !p.MayConnect() {
		answer(w, http.StatusForbidden, refusal{Error: "this role hears nothing"})
		return nil
	}
	return p
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the client has gone
}

func (n *Node) listAlerts(w http.ResponseWriter, _ *http.Request, p *auth.Principal) {
	views := []alertView{}
	for _, a := range n.consequences.alertsOf(p.Org, p.User) {
		views = append(views, viewOf(&a))
	}
	answer(w, http.StatusOK, views)
}

func (n *Node) addAlert(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAlertBytes))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			answer(w, http.StatusRequestEntityTooLarge, refusal{Error: fmt.Sprintf("at most %d bytes", maxAlertBytes)})
		}
		return
	}
	c, err := derive.ParseCondition(n.cat, text)
	if wrong, ok := errors.AsType[*derive.ConditionError](err); ok {
		answer(w, http.StatusBadRequest, refusal{err.Error(), wrong.Member})
		return
	}
	typ, _ := n.cat.Lookup(c.EventName)
	switch {
	case p.User.IsZero():
		answer(w, http.StatusForbidden, refusal{Error: "alerts belong to users; this token's subject is none"})
		return
	case !p.May(typ, c.EntityID):
		answer(w, http.StatusForbidden, refusal{"Unauthorized", "entityId"})
		return
	case len(n.consequences.alertsOf(p.Org, p.User)) >= maxAlerts:
		answer(w, http.StatusConflict, refusal{Error: fmt.Sprintf("at most %d alerts; delete one first", maxAlerts)})
		return
	}
	a := derive.Alert{Organization: p.Org, User: p.User, Condition: *c, Created: time.Now().UTC()}
	rand.Read(a.ID[:]) //nolint:errcheck // it never fails
	a.ID[6], a.ID[8] = a.ID[6]&0x0f|0x40, a.ID[8]&0x3f|0x80
	if !n.keep(w, n.consequences.shelf.alerts.Put(r.Context(), shelfKey(a.Organization, a.ID), a)) {
		return
	}
	n.consequences.add(a)
	w.Header().Set("Location", r.URL.Path+"/"+a.ID.String())
	answer(w, http.StatusCreated, viewOf(&a))
}

// add knows an alert before the store has told it: its user may ask at once.
func (c *consequences) add(a derive.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alerts[a.Organization] == nil {
		c.alerts[a.Organization] = map[event.GUID]derive.Alert{}
	}
	c.alerts[a.Organization][a.ID] = a
}

func (n *Node) deleteAlert(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	id, err := event.ParseGUID(r.PathValue("id"))
	if err != nil {
		answer(w, http.StatusBadRequest, refusal{Error: "alertId: " + err.Error()})
		return
	}
	c := n.consequences
	c.mu.Lock()
	a, ok := c.alerts[p.Org][id]
	c.mu.Unlock()
	if !ok || a.User != p.User {
		answer(w, http.StatusNotFound, refusal{Error: "no alert of yours has this id"})
		return
	}
	if !n.keep(w, c.shelf.alerts.Delete(r.Context(), shelfKey(p.Org, id))) {
		return
	}
	c.mu.Lock()
	delete(c.alerts[p.Org], id)
	c.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// keep answers for a store that did not keep something.
func (n *Node) keep(w http.ResponseWriter, err error) bool {
	if err == nil {
		return true
	}
	n.log.Warn("alert not kept", "err", err)
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, refusal{Error: event.ErrUnavailable.Error()})
	return false
}

// answerFigures has the day figures of the queues that the caller may hear, or of
// those that it names.
func (n *Node) answerFigures(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	typ, _ := n.cat.Lookup("QueueStatus")
	named := map[event.GUID]bool{}
	for _, text := range r.URL.Query()["queue"] {
		id, err := event.ParseGUID(text)
		if err != nil {
			answer(w, http.StatusBadRequest, refusal{"queue: " + err.Error(), "queue"})
			return
		}
		if !p.May(typ, id) {
			answer(w, http.StatusForbidden, refusal{"Unauthorized", "queue"})
			return
		}
		named[id] = true
	}
	answer(w, http.StatusOK, n.consequences.today(p.Org, time.Now(), func(queue event.GUID) bool { return p.May(typ, queue) }, named))
}
