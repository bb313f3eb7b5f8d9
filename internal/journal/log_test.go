package journal_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rte/internal/event"
	"rte/internal/journal"
)

const window = time.Minute

//nolint:gochecknoglobals // a constant
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// Two pairs of events, and two of states, of another stream.
func pair(n byte) event.Pair { return event.Pair{Kind: event.Kind(n), Entity: event.GUID{n}} }

func at(p event.Pair, sequence uint64, seconds int) *event.Event {
	return &event.Event{Topic: event.Topic{Pair: p}, Sequence: sequence, Stored: noon.Add(time.Duration(seconds) * time.Second), Data: make([]byte, 100)}
}

// add puts an event in at the time when it was stored.
func add(l *journal.Log[int], e *event.Event, state bool) { l.Add(e, state, e.Stored) }

func numbers(list []*journal.Entry[int]) (n []uint64) {
	for _, e := range list {
		n = append(n, e.Event.Sequence)
	}
	return n
}

func since(t *testing.T, l *journal.Log[int], p event.Pair, after uint64, want ...uint64) {
	t.Helper()
	list, whole := l.Since(nil, p, after)
	if got := numbers(list); !slices.Equal(got, want) || !whole {
		t.Errorf("behind %d there are %v, whole %v, want %v", after, got, whole, want)
	}
	if !l.Reaches(p, after) {
		t.Errorf("it does not reach back to %d", after)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	b := journal.NewBudget(0)
	l := journal.NewLog[int](window, b)
	l.Begin(5)
	a, c, s := pair(1), pair(2), pair(3)
	add(l, at(a, 6, 0), false)
	add(l, at(c, 7, 10), false)
	add(l, at(a, 9, 20), false)
	add(l, at(s, 1, 0), true)
	since(t, l, a, 5, 6, 9)
	since(t, l, a, 6, 9)
	since(t, l, a, 99)
	since(t, l, pair(9), 5)
	if l.Reaches(a, 4) {
		t.Error("it reaches back behind where it began")
	}
	l.Expire(noon.Add(window + time.Second)) // 6 is too old
	if l.Reaches(c, 5) || l.Oldest() != 6 || l.Last(a) != 9 {
		t.Errorf("oldest is %d, want 6; the last of a pair %d, want 9", l.Oldest(), l.Last(a))
	}
	since(t, l, a, 6, 9)
	l.Expire(noon.Add(24 * time.Hour))
	if n, ok := l.State(s); !ok || n.Event.Sequence != 1 {
		t.Errorf("a state grew too old: %v %v", n, ok)
	}
	l.Prune(func(event.Pair) uint64 { return 8 })
	if l.Last(a) != 9 || l.Last(c) != 0 || l.Last(s) != 1 {
		t.Errorf("behind Prune the last are %d, %d, %d, want 9, 0, 1", l.Last(a), l.Last(c), l.Last(s))
	}
	if states, events := l.Len(); states != 1 || events != 0 {
		t.Errorf("%d states and %d events are left", states, events)
	}
	l.Close()
	if b.Bytes() != 0 {
		t.Errorf("%d bytes are left", b.Bytes())
	}
}

// What is read from the store and what comes late may be the same events: a
// refilled hole stands behind younger events of other pairs.
func TestLateEventIsNotDoubled(t *testing.T) {
	t.Parallel()
	for _, forgotten := range []bool{false, true} {
		l := journal.NewLog[int](window, journal.NewBudget(0))
		a, c := pair(1), pair(2)
		add(l, at(a, 5, 0), false)
		l.Add(at(c, 3, 30), false, noon.Add(30*time.Second)) // stored before, by another clock
		l.Add(at(c, 6, 40), false, noon.Add(40*time.Second))
		l.Expire(noon.Add(window + time.Second)) // forgets 5, and not yet 3
		upTo, busy := l.Pin(c, noon.Add(window+time.Second))
		if upTo != 5 || busy != nil {
			t.Fatalf("Pin = %d, %v", upTo, busy)
		}
		if forgotten { // while it is read
			l.Expire(noon.Add(window + 35*time.Second))
		}
		l.Remember(c, 1, upTo, []*event.Event{at(c, 2, 0), at(c, 3, 30)}, true)
		since(t, l, c, 1, 2, 3, 6)
		since(t, l, c, 2, 3, 6)
		l.Expire(noon.Add(window + 45*time.Second)) // the rest
		since(t, l, c, 1, 2, 3, 6)
		l.Expire(noon.Add(3 * window)) // and what was read
		if l.Reaches(c, 3) {
			t.Error("what was read is kept for ever")
		}
	}
}

// A wiped store begins anew with small numbers; each of the two streams for
// itself.
func TestWipe(t *testing.T) {
	t.Parallel()
	b := journal.NewBudget(0)
	l := journal.NewLog[int](window, b)
	a, c, s, u := pair(1), pair(2), pair(3), pair(4)
	add(l, at(a, 50, 0), false)
	add(l, at(s, 70, 0), true)
	l.Lose(20)
	add(l, at(c, 1, 1), false)
	add(l, at(a, 2, 2), false) // only now it shows
	if l.Reaches(c, 0) {
		t.Error("it may have forgotten what came first, and says that nothing is missing")
	}
	since(t, l, a, 1, 2)
	if l.Last(c) != 0 || l.Lost(0) {
		t.Error("something of the old store is left")
	}
	if n, ok := l.State(s); !ok || n.Event.Sequence != 70 {
		t.Errorf("the states were not wiped: %v %v", n, ok)
	}
	add(l, at(u, 1, 3), true)
	add(l, at(s, 2, 4), true)
	if n, ok := l.State(s); !ok || n.Event.Sequence != 2 {
		t.Errorf("the new value is %v %v", n, ok)
	}
	if n, ok := l.State(u); ok || n != nil {
		t.Errorf("a value that was forgotten with the rest is %v %v: it must be read", n, ok)
	}
	since(t, l, a, 1, 2)
	l.Close()
	if b.Bytes() != 0 {
		t.Errorf("%d bytes are left", b.Bytes())
	}
}

// Who has more than an equal share gives way; what does not fit is not said to
// be whole.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := journal.NewBudget(14_000) // 20 events
	large, small := journal.NewLog[int](window, b), journal.NewLog[int](window, b)
	for i := range uint64(30) {
		add(large, at(pair(1), i+1, 0), false)
	}
	for i := range uint64(5) {
		add(small, at(pair(1), i+1, 0), false)
	}
	add(large, at(pair(1), 31, 0), false)
	if _, n := small.Len(); n != 5 || !small.Reaches(pair(1), 0) {
		t.Errorf("the small one has %d events, want its 5", n)
	}
	_, n := large.Len()
	if b.Bytes() > 14_000 || n < 10 || large.Reaches(pair(1), 0) {
		t.Errorf("the large one has %d events, %d bytes in all", n, b.Bytes())
	}
	since(t, large, pair(1), large.Oldest(), 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)
	for i := range uint64(60) {
		add(large, at(pair(byte(10+i)), i+1, 1), true)
	}
	if b.Bytes() > 14_000 {
		t.Errorf("%d bytes are remembered", b.Bytes())
	}
	if n, ok := large.State(pair(69)); ok || n != nil || large.Last(pair(69)) != 60 {
		t.Errorf("a state that does not fit is %v %v", n, ok)
	}
	small.Close()
	large.Close()
	if b.Bytes() != 0 {
		t.Errorf("%d bytes are left", b.Bytes())
	}
}

// Who waits for what another reads is told when that is over, however it ends.
func TestPin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*journal.Log[int], event.Pair, uint64)
	}{
		{"read", func(l *journal.Log[int], p event.Pair, upTo uint64) { l.Remember(p, 1, upTo, nil, true) }},
		{"failed", func(l *journal.Log[int], p event.Pair, upTo uint64) { l.Remember(p, 1, upTo, nil, false) }},
		{"forgotten", func(l *journal.Log[int], _ event.Pair, _ uint64) { l.Expire(noon.Add(2 * window)) }},
		{"wiped", func(l *journal.Log[int], p event.Pair, _ uint64) { l.Add(at(p, 1, 0), false, noon) }},
		{"closed", func(l *journal.Log[int], _ event.Pair, _ uint64) { l.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := journal.NewLog[int](window, journal.NewBudget(0))
			l.Begin(7)
			p := pair(1)
			add(l, at(p, 8, 0), false)
			upTo, busy := l.Pin(p, noon)
			if upTo != 7 || busy != nil {
				t.Fatalf("Pin = %d, %v", upTo, busy)
			}
			if _, busy = l.Pin(p, noon); busy == nil {
				t.Fatal("two read the same")
			}
			select {
			case <-busy:
				t.Fatal("told too early")
			default:
			}
			c.end(l, p, upTo)
			<-busy
			l.Remember(p, 1, upTo, []*event.Event{at(p, 3, 0)}, true) // too late, or again: that is nothing
		})
	}
}

// TestLogAgainstModel: whatever is added, forgotten and read, and in whatever
// order pairs come, what Since calls whole is exactly what the store has.
func TestLogAgainstModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		most := int64(0)
		if rnd.IntN(2) == 0 {
			most = int64(rnd.IntN(20_000))
		}
		b := journal.NewBudget(most)
		l := journal.NewLog[int](window, b)
		all := map[event.Pair][]*event.Event{}
		var late []*event.Event // of pair 0, not come yet
		clock, next, checked := 0, uint64(0), 0
		for range 400 {
			p := pair(byte(rnd.IntN(4)))
			switch rnd.IntN(8) {
			case 0, 1, 2:
				next++
				e := at(p, next, clock)
				all[p] = append(all[p], e)
				if p == pair(0) && (len(late) > 0 || rnd.IntN(3) == 0) {
					late = append(late, e)
					continue
				}
				l.Add(e, false, noon.Add(time.Duration(clock)*time.Second))
			case 3:
				for _, e := range late {
					l.Add(e, false, noon.Add(time.Duration(clock)*time.Second))
				}
				late = nil
			case 4:
				clock += rnd.IntN(20)
				l.Expire(noon.Add(time.Duration(clock) * time.Second))
			default:
				after := uint64(rnd.IntN(int(next + 1)))
				if !l.Reaches(p, after) && len(late) == 0 {
					upTo, _ := l.Pin(p, noon.Add(time.Duration(clock)*time.Second))
					var read []*event.Event
					for _, e := range all[p] {
						if e.Sequence > after && e.Sequence <= upTo {
							read = append(read, e)
						}
					}
					l.Remember(p, after, upTo, read, true)
				}
				list, whole := l.Since(nil, p, after)
				if whole != l.Reaches(p, after) {
					t.Fatalf("Since says whole %v, Reaches does not", whole)
				}
				if !whole || len(late) > 0 {
					continue
				}
				var want []uint64
				for _, e := range all[p] {
					if e.Sequence > after {
						want = append(want, e.Sequence)
					}
				}
				checked++
				if got := numbers(list); !slices.Equal(got, want) {
					t.Fatalf("behind %d: %v, want %v", after, got, want)
				}
			}
		}
		l.Close()
		if b.Bytes() != 0 || checked == 0 {
			t.Fatalf("%d bytes are left, %d checks", b.Bytes(), checked)
		}
	}
}
