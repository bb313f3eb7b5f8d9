package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"rte/internal/auth"
	"rte/internal/derive"
	"rte/internal/event"
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
	// Suspended: its user may not hear of the entity at present, so it says
	// nothing.
	Suspended bool `json:"suspended,omitempty"`
}

func (n *Node) viewOf(a *derive.Alert) alertView {
	return alertView{a.ID, a.Condition, stamp(a.Created), !n.mayFire(a)}
}

// ownAPI serves what belongs to the caller.
func (n *Node) ownAPI(mux *http.ServeMux, path string) {
	n.share(mux, sharing{path: path + "/alerts", method: "GET, HEAD, POST", rest: true, headers: "content-type", expose: "Location"}, n.own(n.alerts))
	n.share(mux, sharing{path: path + "/alerts/{id}", method: http.MethodDelete}, n.own(n.deleteAlert))
	n.share(mux, sharing{path: path + "/figures", method: http.MethodGet}, n.own(n.answerFigures))
}

// own finds out who asks before they are answered.
func (n *Node) own(give func(http.ResponseWriter, *http.Request, *auth.Principal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := n.caller(w, r); p != nil {
			give(w, r, p)
		}
	}
}

// alerts serves the collection.
func (n *Node) alerts(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		n.listAlerts(w, p)
	case http.MethodPost:
		n.addAlert(w, r, p)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, whyNot{Error: r.Method + " is nothing that alerts know; GET lists them, POST makes one"})
	}
}

// caller is whose token came with a request; nil where it has been answered.
// Only users' own tokens count: what is here is somebody's, or seen by somebody.
func (n *Node) caller(w http.ResponseWriter, r *http.Request) *auth.Principal {
	p := n.verified(w, r)
	if p == nil {
		return nil
	}
	if !p.MayConnect() {
		answer(w, http.StatusForbidden, whyNot{Error: "this role hears nothing"})
		return nil
	}
	n.witness(p)
	return p
}

func (n *Node) listAlerts(w http.ResponseWriter, p *auth.Principal) {
	views := []alertView{}
	for _, a := range n.consequences.alertsOf(p.Org, p.User) {
		views = append(views, n.viewOf(&a))
	}
	answer(w, http.StatusOK, views)
}

func (n *Node) addAlert(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAlertBytes))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			answer(w, http.StatusRequestEntityTooLarge, whyNot{Error: fmt.Sprintf("at most %d bytes", maxAlertBytes)})
		}
		return
	}
	c, err := derive.ParseCondition(n.cat, text)
	if wrong, ok := errors.AsType[*derive.ConditionError](err); ok {
		answer(w, http.StatusBadRequest, whyNot{err.Error(), wrong.Member})
		return
	}
	typ, _ := n.cat.Lookup(c.EventName)
	switch {
	case p.User.IsZero():
		answer(w, http.StatusForbidden, whyNot{Error: "alerts belong to users; this token's subject is none"})
		return
	case !p.May(typ, c.EntityID):
		answer(w, http.StatusForbidden, whyNot{"Unauthorized", "entityId"})
		return
	}
	now := time.Now()
	a := derive.Alert{ID: event.NewGUID(), Organization: p.Org, User: p.User, Condition: *c, Created: now.UTC(), Basis: basisOf(p.Warrant(typ, c.EntityID, now))}
	switch err := n.consequences.takePlace(r.Context(), a.Organization, a.User, a.ID); {
	case errors.Is(err, errNoPlace):
		answer(w, http.StatusConflict, whyNot{Error: fmt.Sprintf("at most %d alerts; delete one first", maxAlerts)})
		return
	case !n.keep(w, err):
		return
	}
	if !n.keep(w, n.consequences.shelf.alerts.Put(r.Context(), shelfKey(a.Organization, a.ID), a)) {
		return
	}
	n.consequences.add(a)
	w.Header().Set("Location", r.URL.Path+"/"+a.ID.String())
	answer(w, http.StatusCreated, n.viewOf(&a))
}

// add knows an alert before the store has told it: its user may ask at once.
func (c *consequences) add(a derive.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, told := c.alerts.byID[ownID{a.Organization, a.ID}]; !told { // what the store has told is newer
		c.alerts.put(a)
	}
}

func (n *Node) deleteAlert(w http.ResponseWriter, r *http.Request, p *auth.Principal) {
	id, err := event.ParseGUID(r.PathValue("id"))
	if err != nil {
		answer(w, http.StatusBadRequest, whyNot{Error: "alertId: " + err.Error()})
		return
	}
	c := n.consequences
	a, ok := c.alert(p.Org, id)
	if !ok || a.User != p.User {
		answer(w, http.StatusNotFound, whyNot{Error: "no alert of yours has this id"})
		return
	}
	if !n.keep(w, c.shelf.alerts.Delete(r.Context(), shelfKey(p.Org, id))) {
		return
	}
	if err := c.givePlace(r.Context(), p.Org, p.User, id); err != nil {
		n.log.Warn("the place of a deleted alert is free only in a minute", "org", p.Org, "err", err)
	}
	c.mu.Lock()
	c.alerts.remove(p.Org, id)
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
	answer(w, http.StatusServiceUnavailable, whyNot{Error: event.ErrUnavailable.Error()})
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
			answer(w, http.StatusBadRequest, whyNot{"queue: " + err.Error(), "queue"})
			return
		}
		if !p.May(typ, id) {
			answer(w, http.StatusForbidden, whyNot{"Unauthorized", "queue"})
			return
		}
		named[id] = true
	}
	answer(w, http.StatusOK, n.consequences.today(p.Org, time.Now(), func(queue event.GUID) bool { return p.May(typ, queue) }, named))
}
