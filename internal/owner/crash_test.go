package owner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/owner"
)

// A memory is a store that ends its owner at a call of its choice, before or
// after that call has had its effect. It knows no ids: whatever is published
// twice is there twice. The real store is under the tests of internal/node.
type memory struct {
	cat *event.Catalog
	r   *rand.Rand

	mu     sync.Mutex
	log    []*event.Event // the event lane
	grown  chan struct{}  // closed and made anew when log grows
	kept   map[[3]event.GUID]derive.Callback
	place  uint64
	left   int // calls until the owner ends; below 0: it does not
	cancel context.CancelFunc

	refuse func(*event.Event) bool // for good

	states      []*event.Event // newest of each
	changes     []owner.Change // that were said before
	alertStates map[event.GUID]derive.AlertState
	asked       int // how often Last was
}

// do is a call with an effect.
func (m *memory) do(ctx context.Context, effect func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.left--
	if m.left != 0 {
		effect()
		return nil
	}
	if m.r.IntN(2) == 0 {
		effect()
	}
	m.cancel()
	return ctx.Err()
}

func (m *memory) append(e *event.Event) {
	e.Sequence = uint64(len(m.log) + 1)
	e.Cursor = strconv.FormatUint(e.Sequence, 10)
	m.log = append(m.log, e)
	close(m.grown)
	m.grown = make(chan struct{})
}

func (m *memory) States(ctx context.Context, sink event.Sink, caught func()) error {
	for _, e := range m.states {
		if err := sink(ctx, e); err != nil {
			return err
		}
	}
	caught()
	<-ctx.Done()
	return ctx.Err()
}

func (m *memory) Events(ctx context.Context, after uint64, _ []event.Kind, sink event.Sink, caught func()) error {
	for {
		m.mu.Lock()
		list, grown := m.log[after:], m.grown
		m.mu.Unlock()
		for _, e := range list {
			if err := sink(ctx, e); err != nil {
				return err
			}
			after = e.Sequence
		}
		if caught != nil {
			caught()
			caught = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

// Publish may be ended between any two events. With one that is refused for good
// those behind it in its pair are refused, too (bus.Bus).
func (m *memory) Publish(ctx context.Context, events []*event.Event) []error {
	errs := make([]error, len(events))
	refused := map[event.Topic]error{}
	for i, e := range events {
		if m.refuse != nil && refused[e.Topic] == nil && m.refuse(e) {
			refused[e.Topic] = errors.New("too large")
		}
		if errs[i] = refused[e.Topic]; errs[i] != nil {
			continue
		}
		if err := m.do(ctx, func() { m.append(e) }); err != nil {
			errs[i] = event.ErrUnavailable
		}
	}
	return errs
}

func (m *memory) Last(_ context.Context, t event.Topic) (last *event.Event, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	for _, e := range m.log {
		if e.Topic == t {
			last = e
		}
	}
	return last, nil
}

func (m *memory) Sequence(cursor string) (uint64, bool) {
	n, err := strconv.ParseUint(cursor, 10, 64)
	return n, err == nil
}

func (m *memory) Callbacks(_ context.Context, take func(derive.Callback) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.kept {
		if err := take(c); err != nil {
			return err
		}
	}
	return nil
}

// Keep may be ended between any two records.
func (m *memory) Keep(ctx context.Context, callbacks []derive.Callback) error {
	for _, c := range callbacks {
		err := m.do(ctx, func() {
			key := [3]event.GUID{c.Organization, c.List, c.ID}
			if c.Record == nil {
				delete(m.kept, key)
				return
			}
			m.kept[key] = c
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Figures(context.Context, func(*derive.Figures) error) error { return nil }
func (m *memory) KeepFigures(context.Context, *derive.Figures) error         { return nil }
func (m *memory) AlertStates(_ context.Context, take func(*derive.AlertState) error) error {
	for _, s := range m.alertStates {
		if err := take(&s); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) KeepAlertState(ctx context.Context, s *derive.AlertState) error {
	return m.do(ctx, func() { m.alertStates[s.ID] = *s })
}

func (m *memory) ForgetAlertState(ctx context.Context, _, id event.GUID) error {
	return m.do(ctx, func() { delete(m.alertStates, id) })
}

func (m *memory) Place(context.Context) (uint64, error) { return m.place, nil }
func (m *memory) KeepPlace(ctx context.Context, sequence uint64) error {
	return m.do(ctx, func() { m.place = sequence })
}
func (m *memory) Watch(_ context.Context, take func(owner.Change)) (func(), error) {
	for _, c := range m.changes {
		take(c)
	}
	return func() {}, nil
}

// TestOwnersDie: owners end at any step of their work, hundreds of times, and
// long after the ids of what they published are forgotten the next one goes on.
// Of each changed callback exactly its users are told, once, in the order of
// the changes.
func TestOwnersDie(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		}()
		r := rand.New(rand.NewPCG(seed, 2))
		cat := event.NewCatalog()
		m := &memory{cat: cat, r: rand.New(rand.NewPCG(seed, 3)), grown: make(chan struct{}), kept: map[[3]event.GUID]derive.Callback{}, alertStates: map[event.GUID]derive.AlertState{}}
		w := owner.New(owner.Options{Catalog: cat, Store: m})
		changed, _ := cat.Lookup("CallbackChanged")
		copied, _ := cat.Lookup("UserCallbackChanged")
		org := event.GUID{'o'}
		assigned := map[event.GUID]event.GUID{}
		want := map[event.GUID][]string{}
		deaths := 0
		for round := range 300 {
			ctx, cancel := context.WithCancel(t.Context())
			m.mu.Lock()
			m.left, m.cancel = 1+r.IntN(30), cancel
			if round == 299 {
				m.left = -1
			}
			m.mu.Unlock()
			var run sync.WaitGroup
			run.Go(func() {
				if err := w.Run(ctx); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			for range r.IntN(6) {
				c, list := event.GUID{'c', byte(r.IntN(10))}, event.GUID{'l', byte(r.IntN(2))}
				u := event.GUID{'u', byte(r.IntN(4))}
				data := fmt.Sprintf(`{"callBackId":%q,"assignedUserId":%q}`, c, u)
				if r.IntN(4) == 0 {
					u, data = event.GUID{}, fmt.Sprintf(`{"callBackId":%q,"assignedUserId":null}`, c)
				}
				m.mu.Lock()
				e := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: changed.Kind, Entity: list}}, Data: []byte(data), Time: time.Now()}
				m.append(e)
				m.mu.Unlock()
				for i, to := range []event.GUID{u, assigned[c]} {
					if !to.IsZero() && (i == 0 || to != u) {
						want[to] = append(want[to], e.Cursor)
					}
				}
				assigned[c] = u
				if r.IntN(2) == 0 {
					synctest.Wait()
				}
			}
			time.Sleep(time.Duration(r.IntN(60)) * time.Second) // the clock of the bubble
			if ctx.Err() != nil {
				deaths++
			}
			synctest.Wait()
			cancel()
			run.Wait()
		}
		got := map[event.GUID][]string{}
		for _, e := range m.log {
			if e.Kind == copied.Kind {
				got[e.Entity] = append(got[e.Entity], e.Cause)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("causes of what each user was told (-want +got):\n%s", d)
		}
		if deaths < 50 || m.place == 0 {
			t.Errorf("only %d owners died at work, the place is %d", deaths, m.place)
		}
	})
}
