package derive_test

import (
	"fmt"
	"testing"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// TestFiguresOfRandomCalls plays calls that overlap over two queues and two
// days, and counts them again from their whole stories. A new owner now and
// then goes on from what was kept and from the events since.
func TestFiguresOfRandomCalls(t *testing.T) {
	t.Parallel()
	r := seeded(t)
	cat := event.NewCatalog()
	rules := derive.New(cat, derive.Options{})
	var out derive.Output
	var log []*event.Event
	kept := map[event.GUID]derive.Figures{}
	now := dayStart.Add(12 * time.Hour)
	give := func(name string, queue event.GUID, call int, more string) {
		typ, _ := cat.Lookup(name)
		e := &event.Event{
			Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: queue}},
			Data:  fmt.Appendf(nil, `{"callId":%q,"queueName":"Sales"%s}`, id('k', call), more),
			Time:  now, Stored: now, Sequence: uint64(len(log) + 1),
		}
		log = append(log, e)
		rules.Event(e, &out)
	}
	type waiting struct {
		queue event.GUID
		since time.Time
	}
	open := map[int]waiting{}
	want := map[event.GUID]*derive.Today{id('q', 0): {}, id('q', 1): {}}
	answerTime, soon, judged := map[event.GUID]int64{}, map[event.GUID]int{}, map[event.GUID]int{}
	day := now.YearDay()
	calls := 0
	for now.Before(dayStart.Add(34 * time.Hour)) {
		now = now.Add(time.Duration(r.IntN(20_000)) * time.Millisecond)
		if now.YearDay() != day {
			day = now.YearDay()
			for q := range want {
				*want[q] = derive.Today{}
			}
			clear(answerTime)
			clear(soon)
			clear(judged)
		}
		rules.Tick(now, &out)
		for _, f := range out.Figures {
			kept[f.QueueID] = f
		}
		out.Reset()
		switch n := r.IntN(4); {
		case n == 0 || len(open) == 0:
			q := id('q', r.IntN(2))
			open[calls] = waiting{q, now}
			want[q].Offered++
			give("QueueCallInArrived", q, calls, "")
			calls++
		case n == 1 && r.IntN(60) == 0:
			rules = derive.New(cat, derive.Options{})
			for _, f := range kept {
				if err := rules.RestoreFigures(&f); err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range log {
				rules.Event(e, &out)
			}
			rules.Tick(now, &out)
		case n == 1:
		default:
			call := -1
			for c := range open {
				if call < 0 || c < call { // not a map's order: the seed must do
					call = c
				}
			}
			w := open[call]
			delete(open, call)
			today, waited := w.since.YearDay() == day, now.Sub(w.since).Milliseconds()
			f := want[w.queue]
			if today {
				f.LongestWait = max(f.LongestWait, float64(waited)/1000)
			}
			count := func(n *int) {
				if today {
					*n++
				}
			}
			switch r.IntN(4) {
			case 0:
				give("QueueCallInUserConnected", w.queue, call, "")
				count(&f.Answered)
				if today {
					answerTime[w.queue] += waited
					judged[w.queue]++
					soon[w.queue] += map[bool]int{true: 1}[waited <= 20_000]
				}
			case 1:
				give("QueueCallInDisconnected", id('q', r.IntN(2)), call, `,"reason":"remote"`)
				count(&f.Abandoned)
				if today && waited > 20_000 {
					judged[w.queue]++
				}
			case 2:
				give("QueueCallInDisconnected", w.queue, call, `,"reason":"local"`)
				count(&f.Ended)
			case 3:
				give("QueueCallInOverflow", w.queue, call, "")
				count(&f.Overflowed)
			}
			give("QueueCallInDisconnected", w.queue, call, `,"reason":"remote"`) // it has ended already
		}
		for q, f := range want {
			got, ok := rules.Figures(org, q)
			if !ok {
				continue
			}
			is := got.At(now, time.UTC, 20*time.Second)
			longest, waits := f.LongestWait, 0
			for _, w := range open {
				if w.queue == q && w.since.YearDay() == day {
					longest = max(longest, float64(now.Sub(w.since).Milliseconds())/1000)
					waits++
				}
			}
			level, average := -1.0, -1.0
			if judged[q] > 0 {
				level = float64(soon[q]) / float64(judged[q])
			}
			if f.Answered > 0 {
				average = float64(answerTime[q]/int64(f.Answered)) / 1000
			}
			line := func(offered, answered, abandoned, ended, overflowed, waits int, longest, level, average float64) string {
				return fmt.Sprintln(offered, answered, abandoned, ended, overflowed, waits, longest, level, average)
			}
			or := func(v *float64) float64 {
				if v == nil {
					return -1
				}
				return *v
			}
			w := line(f.Offered, f.Answered, f.Abandoned, f.Ended, f.Overflowed, waits, longest, level, average)
			g := line(is.Offered, is.Answered, is.Abandoned, is.Ended, is.Overflowed, is.Waiting, is.LongestWait, or(is.ServiceLevel), or(is.AverageAnswerTime))
			if w != g {
				t.Fatalf("queue %v at %v (offered answered abandoned ended overflowed waiting longest level average): got %swant %s", q, now, g, w)
			}
			if is.Offered != is.Answered+is.Abandoned+is.Ended+is.Overflowed+is.Waiting {
				t.Fatalf("calls do not add up: %+v", is)
			}
		}
	}
	if calls < 500 {
		t.Errorf("only %d calls", calls)
	}
}
