package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/signalr"
)

// slow is a client whose queue takes nothing until it is let.
type slow struct {
	client
	let    chan struct{} // one for each Offer
	frames []*signalr.Frame
}

func (s *slow) Room() int { return 0 }

func (s *slow) Offer(ctx context.Context, f *signalr.Frame) error {
	select {
	case <-s.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	s.frames = append(s.frames, f)
	s.mu.Unlock()
	s.Send(f)
	return nil
}

// datas are the payloads of what a client was sent since it was asked last.
func (c *client) datas() (list []string) {
	for _, text := range c.take() {
		_, text, _ = strings.Cut(text, `"data":`)
		text, _, _ = strings.Cut(text, `,"cursor"`)
		list = append(list, text)
	}
	return list
}

var org1 = event.GUID{1} //nolint:gochecknoglobals // a constant

func publish(s *journaltest.Store, p event.Pair, data string) *event.Event {
	e := &event.Event{Topic: event.Topic{Org: org1, Pair: p}, Data: []byte(data)}
	s.Publish(e)
	return e
}

// resume joins one pair, and returns how.
func resume(t *testing.T, m *fanout.Member, j fanout.Join) (how fanout.Joined) {
	t.Helper()
	j.Told = true
	if err := m.Subscribe(t.Context(), []fanout.Join{j}, nil, func(all []fanout.Joined) { how = all[0] }); err != nil {
		t.Error(err)
	}
	return how
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

// TestJoin is the table of the contract: what After and Snapshot bring, and what
// the result says.
func TestJoin(t *testing.T) {
	t.Parallel()
	const state, other = "QueueStatus", "QueueCallInArrived"
	for _, c := range []struct {
		name, event string
		after       func(old, last *event.Event, s *journaltest.Store) string
		snapshot    bool
		since       time.Duration // behind the first event; 0: always
		recovered   bool
		want        []string
	}{
		{name: "from now", event: other, recovered: true},
		{name: "a snapshot of no state is ignored", event: other, snapshot: true, recovered: true},
		{name: "behind the first", event: other, after: cursorOf(0), recovered: true, want: []string{"2", "3"}},
		{name: "behind the last", event: other, after: cursorOf(1), recovered: true},
		{name: "ahead of this node", event: other, after: func(_, _ *event.Event, s *journaltest.Store) string {
			return s.CursorAt(event.Topic{Org: org1, Pair: event.Pair{Kind: kind(t, other)}}, 99)
		}, recovered: true},
		{name: "malformed", event: other, after: text("nonsense")},
		{name: "foreign", event: other, after: text("b0.1")},
		{name: "of a state", event: other, after: text("a1.1")},
		{name: "the right is younger than what was missed", event: other, after: cursorOf(0), since: 1500 * time.Millisecond, want: []string{"3"}},
		{name: "the right is old enough", event: other, after: cursorOf(0), since: time.Second, recovered: true, want: []string{"2", "3"}},
		{name: "a state from now", event: state, recovered: true},
		{name: "its newest value", event: state, snapshot: true, recovered: true, want: []string{"3"}},
		{name: "if it is newer", event: state, after: cursorOf(0), recovered: true, want: []string{"3"}},
		{name: "and not if not", event: state, after: cursorOf(1), snapshot: true, recovered: true},
		{name: "malformed for a state", event: state, after: text("nonsense"), recovered: true, want: []string{"3"}},
		{name: "a state's value now, with a right that is younger", event: state, snapshot: true, since: time.Hour, recovered: true, want: []string{"3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x, s := newIndex(t, fanout.Options{})
				p, to := event.Pair{Kind: kind(t, c.event)}, &client{}
				m := join(t, x, org1, to)
				defer m.Leave()
				began := time.Now()
				first := publish(s, p, "1")
				<-time.After(time.Second)
				publish(s, p, "2")
				<-time.After(time.Second)
				last := publish(s, p, "3")
				j := fanout.Join{Pair: p, Snapshot: c.snapshot}
				if c.after != nil {
					j.After = c.after(first, last, s)
				}
				if c.since > 0 {
					j.Since = began.Add(c.since)
				}
				how := resume(t, m, j)
				same(t, "at once", to.datas(), c.want...)
				if how.Recovered != c.recovered {
					t.Errorf("recovered is %v", how.Recovered)
				}
				place, _ := s.Place(last.Topic, how.Cursor)
				if after, ok := s.Place(last.Topic, j.After); place < last.Sequence || ok && place < after {
					t.Errorf("the place of the join is %d, behind %d and %d", place, after, last.Sequence)
				}
				if how := resume(t, m, j); !how.Recovered {
					t.Error("again: not recovered")
				}
				same(t, "again", to.datas())
				m.Unsubscribe([]event.Pair{p})
				if resume(t, m, fanout.Join{Pair: p, After: how.Cursor}); len(to.datas()) > 0 {
					t.Error("the place of the join has something behind it")
				}
			})
		})
	}
}

func text(s string) func(_, _ *event.Event, _ *journaltest.Store) string {
	return func(_, _ *event.Event, _ *journaltest.Store) string { return s }
}

// cursorOf is the first event's, or the last's.
func cursorOf(n int) func(first, last *event.Event, _ *journaltest.Store) string {
	return func(first, last *event.Event, _ *journaltest.Store) string {
		return []*event.Event{first, last}[n].Cursor
	}
}

// TestCommandsAreNotLate: what asks for something to be done now is not
// repeated when its time is over, and is not late for who only waits for room.
func TestCommandsAreNotLate(t *testing.T) {
	t.Parallel()
	const dial, cli = "UserActionMobileCall", "UserConfigurationSetNextCLI"
	for _, c := range []struct {
		event, data string
		age         time.Duration
		comes       bool
	}{
		{dial, `{}`, 30 * time.Second, true},
		{dial, `{}`, 31 * time.Second, false},
		{cli, `{"permanent":false,"timeToLive":10}`, 10 * time.Second, true},
		{cli, `{"permanent":false,"timeToLive":10}`, 11 * time.Second, false},
		{cli, `{"permanent":true,"timeToLive":10}`, 0, false},
		{cli, `{"permanent":true}`, time.Second, false},
	} {
		t.Run(fmt.Sprint(c.event, c.data, c.age), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x, s := newIndex(t, fanout.Options{})
				p, to, later := event.Pair{Kind: kind(t, c.event)}, &client{}, &slow{let: make(chan struct{})}
				m := join(t, x, org1, to)
				defer m.Leave()
				subscribe(t, m, nil, p)
				first := publish(s, p, `{"permanent":false,"timeToLive":600}`)
				publish(s, p, c.data)
				same(t, "live", to.datas(), string(first.Data), c.data)
				m.UnsubscribeAll()
				<-time.After(c.age)
				if how := resume(t, m, fanout.Join{Pair: p, After: first.Cursor}); !how.Recovered {
					t.Error("not recovered")
				}
				if got := to.datas(); len(got) > 0 != c.comes {
					t.Errorf("late: heard %q", got)
				}

				n, err := x.Join(t.Context(), org1, event.GUID{}, later)
				if err != nil {
					t.Fatal(err)
				}
				defer n.Leave()
				before := publish(s, p, `{"permanent":false,"timeToLive":600}`)
				resume(t, n, fanout.Join{Pair: p, After: s.CursorAt(before.Topic, before.Sequence-1)})
				synctest.Wait()
				publish(s, p, c.data) // it is caught up, and this is now
				close(later.let)
				synctest.Wait()
				same(t, "as it happened", later.datas(), string(before.Data), c.data)
			})
		})
	}
}

// TestReadsDoNotGrow: a thousand clients with the same old cursors cost about
// one read of each pair, and share the frames; also where the store does not
// reach back to them.
func TestReadsDoNotGrow(t *testing.T) {
	t.Parallel()
	for _, forgotten := range []bool{false, true} {
		t.Run(fmt.Sprint("forgotten=", forgotten), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x, s := newIndex(t, fanout.Options{Window: time.Minute})
				const pairs, clients, each = 20, 1000, 3
				var joins []fanout.Join
				keep := join(t, x, org1, &client{})
				defer keep.Leave()
				for i := range pairs {
					p := event.Pair{Kind: kind(t, "QueueCallInArrived"), Entity: event.GUID{byte(i)}}
					joins = append(joins, fanout.Join{Pair: p, After: publish(s, p, "0").Cursor})
					for n := range each {
						publish(s, p, fmt.Sprint(n))
					}
				}
				<-time.After(time.Hour)
				if forgotten {
					s.Forget(time.Now())
				}
				publish(s, joins[0].Pair, "now") // and the memory forgets, too
				var all sync.WaitGroup
				got := make([]*slow, clients)
				for i := range clients {
					all.Go(func() {
						got[i] = &slow{}
						m, err := x.Join(t.Context(), org1, event.GUID{}, &roomy{got[i]})
						if err != nil {
							t.Error(err)
							return
						}
						defer m.Leave()
						err = m.Subscribe(t.Context(), joins, nil, func(how []fanout.Joined) {
							for _, h := range how {
								if h.Recovered == forgotten {
									t.Errorf("recovered is %v", h.Recovered)
								}
							}
						})
						if err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				if n := s.Reads(); n > pairs {
					t.Errorf("%d reads for %d clients, want at most %d", n, clients, pairs)
				}
				want := pairs*each + 1
				if forgotten {
					want = 0
				}
				for _, c := range got {
					if len(c.frames) != want {
						t.Fatalf("a client heard %d events, want %d", len(c.frames), want)
					}
					if !slices.Equal(c.frames, got[0].frames) {
						t.Fatal("the frames are not shared")
					}
				}
			})
		})
	}
}

// roomy notes frames, and has room.
type roomy struct{ *slow }

func (*roomy) Room() int { return 1 << 30 }

func (r *roomy) Send(f *signalr.Frame) { r.frames = append(r.frames, f) }

// TestUnsubscribedWhileCaughtUp: what waits for room in the queue when the pair
// is left, with its right or with the client, never comes.
func TestUnsubscribedWhileCaughtUp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"QueueCallInArrived", "QueueStatus"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x, s := newIndex(t, fanout.Options{})
				p, q := event.Pair{Kind: kind(t, name), Entity: event.GUID{1}}, event.Pair{Kind: kind(t, name), Entity: event.GUID{2}}
				to := &slow{let: make(chan struct{})}
				m, err := x.Join(t.Context(), org1, event.GUID{}, to)
				if err != nil {
					t.Fatal(err)
				}
				a, b := publish(s, p, "1"), publish(s, q, "2")
				publish(s, p, "3")
				publish(s, q, "4")
				if err := m.Subscribe(t.Context(), []fanout.Join{{Pair: p, After: a.Cursor}, {Pair: q, After: b.Cursor}}, nil, func([]fanout.Joined) {}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // 3 waits for room
				m.Unsubscribe([]event.Pair{p})
				close(to.let)
				synctest.Wait()
				same(t, "of the other pair", to.datas(), "4")
				publish(s, p, "5")
				publish(s, q, "6")
				same(t, "behind it", to.datas(), "6")
				if n := m.Len(); n != 1 {
					t.Errorf("%d pairs are joined", n)
				}
				m.Leave()
			})
		})
	}
}

// TestMoreThanAPage: a slow client with more than a page behind it gets it all
// in order as it takes it, while events flow and the store fails at times; one
// that takes so long that the store forgets is given up.
func TestMoreThanAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Int32
		x, s := newIndex(t, fanout.Options{Window: time.Minute, Behind: func(fanout.Subscriber) { behind.Add(1) }})
		p, to := event.Pair{Kind: kind(t, "QueueCallInArrived")}, &slow{let: make(chan struct{})}
		m, err := x.Join(t.Context(), org1, event.GUID{}, to)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Leave()
		first := publish(s, p, "0")
		var want []string
		more := func() {
			want = append(want, fmt.Sprint(len(want)+1))
			publish(s, p, want[len(want)-1])
		}
		for range 1200 {
			more()
		}
		<-time.After(time.Hour)
		more()
		if how := resume(t, m, fanout.Join{Pair: p, After: first.Cursor}); !how.Recovered {
			t.Error("not recovered")
		}
		for n := range 1301 {
			if n%100 == 50 {
				s.Fail(errors.New("away"))
			}
			if n%10 == 0 && n < 1000 {
				more()
			}
			to.let <- struct{}{}
			synctest.Wait()
			s.Fail(nil)
		}
		synctest.Wait()
		<-time.After(5 * time.Second)
		more() // it is joined
		same(t, "all", to.datas(), want...)
		m.UnsubscribeAll()

		<-time.After(time.Hour)
		more()
		resume(t, m, fanout.Join{Pair: p, After: first.Cursor})
		to.let <- struct{}{}
		synctest.Wait()
		<-time.After(time.Hour)
		s.Forget(time.Now())
		for range 700 {
			select {
			case to.let <- struct{}{}:
			case <-time.After(time.Second):
			}
		}
		if behind.Load() != 1 {
			t.Errorf("told %d times of a client that cannot be caught up", behind.Load())
		}
	})
}

// TestNoRoomToRemember: with a budget in which nothing fits a client still
// gets what it has missed, however much happens meanwhile.
func TestNoRoomToRemember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := journaltest.New(event.NewCatalog())
		busy := &reading{Store: s}
		x := fanout.New(event.NewCatalog(), fanout.Options{Bytes: 1, Store: busy})
		defer x.Close()
		p, q := event.Pair{Kind: kind(t, "QueueCallInArrived")}, event.Pair{Kind: kind(t, "QueueStatus")}
		first := publish(s, p, "1")
		publish(s, p, "2")
		publish(s, q, "7")
		to := &client{}
		m := join(t, x, org1, to)
		defer m.Leave()
		busy.each = func() {
			publish(s, event.Pair{Kind: p.Kind, Entity: event.GUID{9}}, "x") // lets the memory forget
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := m.Subscribe(ctx, []fanout.Join{{Pair: p, After: first.Cursor}, {Pair: q, Snapshot: true}}, nil, func([]fanout.Joined) {}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		publish(s, p, "3")
		publish(s, q, "8")
		<-time.After(time.Minute)
		got := to.datas()
		slices.Sort(got)
		same(t, "all", got, "2", "3", "7", "8")
		if n := s.Reads(); n > 20 {
			t.Errorf("%d reads", n)
		}
	})
}

// reading is a store of which each read takes a while.
type reading struct {
	*journaltest.Store
	each func()
}

func (r *reading) Read(ctx context.Context, t event.Topic, after, upTo uint64, most int) ([]*event.Event, bool, bool, error) {
	time.Sleep(time.Millisecond)
	if r.each != nil {
		r.each()
	}
	return r.Store.Read(ctx, t, after, upTo, most)
}

// TestManyStatesAtOnce: the values of more states than the queue has room for
// come as the client takes them, each the newest.
func TestManyStatesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, s := newIndex(t, fanout.Options{})
		to := &slow{let: make(chan struct{})}
		m, err := x.Join(t.Context(), org1, event.GUID{}, to)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Leave()
		var joins []fanout.Join
		var want []string
		for i := range 200 {
			p := event.Pair{Kind: kind(t, "QueueStatus"), Entity: event.GUID{byte(i)}}
			publish(s, p, "0")
			joins = append(joins, fanout.Join{Pair: p, Snapshot: true})
			want = append(want, fmt.Sprint(i))
		}
		if err := m.Subscribe(t.Context(), joins, nil, func([]fanout.Joined) {}); err != nil {
			t.Fatal(err)
		}
		to.let <- struct{}{} // the first has its old value; it is joined then
		synctest.Wait()
		to.let <- struct{}{}
		synctest.Wait() // of the third the old value waits
		for i, j := range joins {
			publish(s, j.Pair, fmt.Sprint(i))
		}
		close(to.let)
		synctest.Wait()
		got := to.datas()
		same(t, "newest values", got[len(got)-197:], want[3:]...)
		if len(got) != 203 {
			t.Errorf("heard %d values, want 3 old ones and 200", len(got))
		}
	})
}

// TestIdleMonth: nothing is left of an organization that nobody asks for.
func TestIdleMonth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, s := newIndex(t, fanout.Options{})
		m := join(t, x, org1, &client{})
		p := event.Pair{Kind: kind(t, "QueueCallInArrived")}
		subscribe(t, m, nil, p)
		publish(s, p, "1")
		for range 30 {
			<-time.After(24 * time.Hour)
		}
		if n := x.Stats().JournalBytes; n != 0 {
			t.Errorf("%d bytes are remembered of what is a month old", n)
		}
		publish(s, event.Pair{Kind: kind(t, "QueueStatus")}, "2")
		m.Leave()
		<-time.After(time.Hour)
		synctest.Wait()
		if st := x.Stats(); st.JournalBytes != 0 || st.Organizations != 0 {
			t.Errorf("left behind: %+v", st)
		}
		if now, _ := s.Flows(); now != 0 {
			t.Errorf("%d flows go on", now)
		}
	})
}
