package owner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// A tenure is one time of owning. But for its queues it belongs to the
// goroutine of Run.
type tenure struct {
	*Owner
	rules  *derive.Rules
	out    derive.Output
	place  uint64                           // up to which the owner before had done everything
	kept   map[event.GUID]derive.AlertState // of alerts that were not said yet
	caught bool                             // all that was there at the beginning has been read
	ready  bool                             // … and what follows from it is stored: ticks may come
	done   uint64                           // sequence of the newest event that was dealt with
	places []mark                           // of the last seconds, the oldest first
	lag    time.Duration                    // the longest since the last tick
	stats  Stats

	changes inbox
	states  queue
	events  queue
	begun   chan struct{} // closed when the states have been read
}

// A mark says what was done at a moment.
type mark struct {
	at       time.Time
	sequence uint64
}

// settled is how long after an event everything that follows from it is kept
// for sure: figures have their turn every 15 seconds.
const settled = 20 * time.Second

// batch is how many events are dealt with at once.
const batch = 256

func newTenure(w *Owner, s Stats) *tenure {
	s.Owner = false
	return &tenure{
		Owner: w, rules: derive.New(w.o.Catalog, w.o.Rules), kept: map[event.GUID]derive.AlertState{}, stats: s,
		changes: inbox{told: make(chan struct{}, 1)}, states: newQueue(), events: newQueue(), begun: make(chan struct{}),
	}
}

// restore reads what the owner before kept.
func (t *tenure) restore(ctx context.Context) (err error) {
	s := t.o.Store
	if t.place, err = s.Place(ctx); err != nil {
		return fmt.Errorf("read the place: %w", err)
	}
	t.done = t.place
	if err := s.Callbacks(ctx, t.rules.RestoreCallback); err != nil {
		return err
	}
	if err := s.Figures(ctx, t.rules.RestoreFigures); err != nil {
		return err
	}
	return s.AlertStates(ctx, func(a *derive.AlertState) error {
		t.kept[a.ID] = *a
		return nil
	})
}

// kinds are the events of the event lane that the rules need.
func (t *tenure) kinds() (list []event.Kind) {
	for _, typ := range t.o.Catalog.Events {
		if !typ.Keeps() && t.rules.Needs(typ.Kind) {
			list = append(list, typ.Kind)
		}
	}
	return list
}

// begin takes what was said before it. The newest states need not be asked for:
// all of them come. What is kept of alerts that nobody has said is of those that
// were deleted while nobody owned.
func (t *tenure) begin(ctx context.Context) error {
	for _, c := range t.changes.empty() {
		if c.Alert == nil || c.Gone {
			if err := t.change(ctx, c); err != nil {
				return err
			}
			continue
		}
		t.setAlert(c.Alert, nil)
	}
	for id, s := range t.kept {
		if err := t.patiently(ctx, func() error { return t.o.Store.ForgetAlertState(ctx, s.Organization, id) }); err != nil {
			return err
		}
	}
	clear(t.kept)
	return nil
}

// work deals with what comes until ctx ends.
func (t *tenure) work(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.changes.told:
		case e := <-t.states.ch:
			t.take(&t.states, e)
		case e := <-t.events.ch:
			t.take(&t.events, e)
		case <-ticker.C:
			t.second()
		}
		for _, c := range t.changes.empty() {
			if err := t.change(ctx, c); err != nil {
				return err
			}
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
	}
}

// take gives the rules an event and those that wait behind it; nil says that
// all that was there has been read.
func (t *tenure) take(q *queue, e *event.Event) {
	for n := 0; ; n++ {
		switch {
		case e != nil:
			t.stats.Read++
			if n == 0 && t.ready {
				t.lag = max(t.lag, t.o.Now().Sub(e.Stored))
			}
			t.rules.Event(e, &t.out)
			if q == &t.events {
				t.done = e.Sequence
			}
		case q == &t.states:
			close(t.begun)
		default:
			t.caught = true
		}
		if n == batch || e == nil {
			return
		}
		select {
		case e = <-q.ch:
		default:
			return
		}
	}
}

// second is one tick.
func (t *tenure) second() {
	if !t.ready {
		return
	}
	now := t.o.Now()
	t.rules.Tick(now, &t.out)
	t.places = append(t.places, mark{now, t.done})
	t.stats.Owner = true
	t.stats.Ticks++
	t.stats.Lag, t.lag = t.lag, 0
	t.tell()
}

// tell makes the figures visible. Who is no owner holds nothing.
func (t *tenure) tell() {
	s := t.stats
	s.Rules = t.rules.Stats()
	if !s.Owner {
		r := &s.Rules
		s.Lag, r.Callbacks, r.OpenCallbacks, r.Lists, r.Users, r.Alerts, r.Queues, r.WaitingCalls = 0, 0, 0, 0, 0, 0, 0, 0
	}
	t.Owner.stats.Store(&s)
}

// change tells the rules what users or the platform have said.
func (t *tenure) change(ctx context.Context, c Change) error {
	switch {
	case c.List != nil && c.List.Gone:
		t.rules.UnsetList(c.List.Organization, c.List.ID)
	case c.List != nil:
		t.rules.SetList(c.List.Organization, c.List.ID, c.List.AutoAllocate, c.List.Agents)
	case c.Gone:
		t.rules.UnsetAlert(c.Alert.Organization, c.Alert.ID)
		delete(t.kept, c.Alert.ID)
		return t.patiently(ctx, func() error { return t.o.Store.ForgetAlertState(ctx, c.Alert.Organization, c.Alert.ID) })
	case c.Alert != nil:
		newest, err := t.newest(ctx, c.Alert)
		if err != nil {
			return err
		}
		t.setAlert(c.Alert, newest)
	}
	return nil
}

// setAlert has an alert judged.
func (t *tenure) setAlert(a *derive.Alert, newest *event.Event) {
	if err := t.rules.SetAlert(a, t.kept[a.ID], newest, &t.out); err != nil {
		t.o.Logger.Warn("alert left out", "org", a.Organization, "user", a.User, "err", err)
	}
	delete(t.kept, a.ID)
}

// newest is the status that an alert is about.
func (t *tenure) newest(ctx context.Context, a *derive.Alert) (e *event.Event, err error) {
	typ, ok := t.o.Catalog.Lookup(a.EventName)
	if !ok {
		return nil, nil
	}
	err = t.patiently(ctx, func() (err error) {
		e, err = t.o.Store.Last(ctx, event.Topic{Org: a.Organization, Pair: event.Pair{Kind: typ.Kind, Entity: a.EntityID}})
		return err
	})
	return e, err
}

// A queue is how a reader hands on to Run; it waits when Run is busy.
type queue struct{ ch chan *event.Event }

func newQueue() queue { return queue{make(chan *event.Event, batch)} }

func (q queue) give(ctx context.Context, e *event.Event) error {
	select {
	case q.ch <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// caught says that all that was there has been given.
func (q queue) caught(ctx context.Context) func() {
	return func() { q.give(ctx, nil) } //nolint:errcheck // then nobody reads any more
}

// An inbox takes changes without waiting: there are as many as users and the
// platform have said.
type inbox struct {
	told chan struct{} // one token if there is something

	mu   sync.Mutex
	list []Change
}

func (i *inbox) add(c Change) {
	i.mu.Lock()
	i.list = append(i.list, c)
	i.mu.Unlock()
	select {
	case i.told <- struct{}{}:
	default:
	}
}

func (i *inbox) empty() []Change {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := i.list
	i.list = nil
	return list
}
