package derive

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rte/internal/event"
)

// An Alert is a condition that a user wants to be told of. This is the form in
// which it is kept.
type Alert struct {
	ID           event.GUID `json:"alertId"`
	Organization event.GUID `json:"organizationId"`
	User         event.GUID `json:"userId"`
	Condition
	Created time.Time `json:"created"`

	// Basis is what the user's right stands on, for Options.Allowed, in a form
	// that is its own.
	Basis json.RawMessage `json:"basis,omitempty"`
}

// An AlertState is what must be remembered of an alert. The zero value is an
// alert that is armed.
type AlertState struct {
	Organization event.GUID `json:"organizationId"`
	ID           event.GUID `json:"alertId"`
	Fired        bool       `json:"fired,omitempty"` // and not armed again yet
	Since        time.Time  `json:"since,omitzero"`  // the condition holds, but not long enough yet, or its user must not hear so
	Cause        string     `json:"cause,omitempty"` // cursor of the event since which
	Value        string     `json:"value,omitempty"` // newest of the field, as text, while Since is set
	Name         string     `json:"name,omitempty"`  // of the queue, likewise
}

// An alert is one at work.
type alert struct {
	Alert
	field *event.Field
	pair  event.Pair
	queue bool // of a queue: UserQueueAlert goes with it

	fired    bool
	since    moment // never: the condition does not hold, or has been told
	ask      moment // when to look again whether its user may hear so
	cause    string
	value    string
	name     string
	sequence uint64 // of the newest value that was judged
	at       int
}

func (a *alert) due() moment {
	if a.since == never {
		return never
	}
	return max(a.since+moment(a.ForSeconds)*second, a.ask)
}
func (a *alert) place() *int { return &a.at }
func (a *alert) before(b *alert) bool {
	if a.due() != b.due() {
		return a.due() < b.due()
	}
	return compareGUID(a.ID, b.ID) < 0
}

// SetAlert has an alert judged from now on, newest first if the entity has a
// newest status (nil: none). Of an alert that is there already only the state
// stays. An alert's condition must be of the catalogue, or an error says what
// is not. One that nothing is kept of has the zero state.
func (r *Rules) SetAlert(set *Alert, state AlertState, newest *event.Event, out *Output) error {
	o := r.organization(set.Organization)
	a := &alert{Alert: *set, fired: state.Fired, since: never}
	t, ok := r.cat.Lookup(set.EventName)
	if !ok {
		return fmt.Errorf("set alert %v: no event is called %q", set.ID, set.EventName)
	}
	if a.field, ok = t.Field(set.Field); !ok {
		return fmt.Errorf("set alert %v: %s has no field %q", set.ID, t.Name, set.Field)
	}
	if len(set.Value) == 0 {
		return fmt.Errorf("set alert %v: it has no value", set.ID)
	}
	a.pair, a.queue = event.Pair{Kind: t.Kind, Entity: set.EntityID}, t.Group == "Queue"
	if !state.Since.IsZero() {
		a.since, a.cause, a.value, a.name = momentOf(state.Since), state.Cause, state.Value, state.Name
	}
	if is := o.alerts[set.ID]; is != nil {
		a.fired, a.since, a.cause, a.value, a.name, a.sequence = is.fired, is.since, is.cause, is.value, is.name, is.sequence
		r.UnsetAlert(set.Organization, set.ID)
	}
	o.alerts[a.ID] = a
	list := append(o.watched[a.pair], a)
	slices.SortFunc(list, func(a, b *alert) int { return compareGUID(a.ID, b.ID) })
	o.watched[a.pair] = list
	if a.since != never {
		r.waits.set(a)
	}
	if newest != nil {
		r.judge(a, newest, out)
	}
	return nil
}

// UnsetAlert forgets an alert; one that is not there is no error.
func (r *Rules) UnsetAlert(org, id event.GUID) {
	o := r.orgs[org]
	if o == nil || o.alerts[id] == nil {
		return
	}
	a := o.alerts[id]
	delete(o.alerts, id)
	r.waits.remove(a)
	list := slices.DeleteFunc(o.watched[a.pair], func(b *alert) bool { return b == a })
	if o.watched[a.pair] = list; len(list) == 0 {
		delete(o.watched, a.pair)
	}
}

// judge holds a status against an alert. A status without the field says
// nothing about it.
func (r *Rules) judge(a *alert, e *event.Event, out *Output) {
	if e.Sequence != 0 && e.Sequence <= a.sequence {
		return
	}
	var value []byte
	name := ""
	members(e.Data, func(member, v, _ []byte) {
		switch string(member) {
		case a.field.WireName:
			value = v
		case "queueName":
			name = unquote(v)
		}
	})
	if value == nil || string(value) == "null" {
		return
	}
	a.sequence = e.Sequence
	a.value, a.name = plain(value), name
	is := holds(a.field, value, a.Operator, a.Value)
	switch {
	case a.fired:
		if a.ClearValue != nil {
			is = holds(a.field, value, a.Operator, a.ClearValue)
		}
		if !is {
			a.fired = false
			out.Alerts = append(out.Alerts, a.state())
		}
	case !is:
		if a.since != never {
			r.waits.remove(a)
			a.since, a.ask, a.cause = never, 0, ""
			out.Alerts = append(out.Alerts, a.state())
		}
	case a.ForSeconds == 0:
		a.cause = e.Cursor
		r.fire(a, r.at(e), out)
	case a.since == never:
		a.since, a.cause = r.at(e), e.Cursor
		r.waits.set(a)
		out.Alerts = append(out.Alerts, a.state())
	}
}

// fire tells an alert's user, once until it is armed again. Who may not hear of
// the entity is told when the right is back, if the condition still holds then.
func (r *Rules) fire(a *alert, now moment, out *Output) {
	r.waits.remove(a)
	if !r.options.Allowed(&a.Alert) {
		a.ask = now + span(r.options.Every)
		if a.since == never {
			a.since = now
			out.Alerts = append(out.Alerts, a.state())
		}
		r.waits.set(a)
		return
	}
	cause := a.cause
	a.fired, a.since, a.ask, a.cause = true, never, 0, ""
	out.Alerts = append(out.Alerts, a.state())
	r.stats.AlertsFired++
	r.push(a, cause, r.kinds.userAlert, event.UserAlert{
		AlertID: a.ID, OrganizationID: a.Organization, UserID: a.User,
		ConditionName: a.Field, ConditionExpression: a.Operator, ConditionValue: plain(a.Value), Value: a.value,
	}, out)
	if a.queue {
		r.push(a, cause, r.kinds.queueAlert, event.UserQueueAlert{QueueID: a.EntityID, QueueName: a.name}, out)
	}
}

func (r *Rules) push(a *alert, cause string, k event.Kind, payload event.Payload, out *Output) {
	e := event.Event{
		Topic: event.Topic{Org: a.Organization, Pair: event.Pair{Kind: k, Entity: a.User}},
		Data:  text(payload),
		ID:    own(payload.Event(), a.ID.AppendText(nil), []byte(cause)),
		Cause: cause,
	}
	if r.now != unknown {
		e.Time = r.now.time().Truncate(time.Millisecond)
	}
	out.Events = append(out.Events, e)
}

func (a *alert) state() AlertState {
	s := AlertState{Organization: a.Organization, ID: a.ID, Fired: a.fired, Since: a.since.time()}
	if a.since != never {
		s.Cause, s.Value, s.Name = a.cause, a.value, a.name
	}
	return s
}
