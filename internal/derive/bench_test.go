package derive_test

import (
	"fmt"
	"testing"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// crowded are rules with so many open callbacks in one list, with dates spread
// over two days.
func crowded(b *testing.B, n int) (*derive.Rules, []*event.Event) {
	b.Helper()
	cat := event.NewCatalog()
	typ, _ := cat.Lookup("CallbackChanged")
	r := derive.New(cat, derive.Options{})
	var out derive.Output
	r.Tick(dayStart, &out)
	events := make([]*event.Event, n)
	for i := range events {
		date := func(salt int) string {
			return dayStart.Add(time.Duration((i*salt)%(48*60*60)) * time.Second).Format(time.RFC3339)
		}
		c := event.GUID{'c', byte(i >> 16), byte(i >> 8), byte(i)}
		events[i] = &event.Event{
			Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: id('l', 1)}},
			Data: fmt.Appendf(nil, `{"callBackId":%q,"assignedUserId":null,"callListId":%q,"dueDate":%q,"expiryDate":"2026-12-24T00:00:00Z","notBefore":%q,"contactName":"sample","note":"sample"}`,
				c, id('l', 1), date(7919), date(104729)),
			Time: dayStart, Sequence: uint64(i + 1), Cursor: "EAAAAAAAAQ",
		}
		r.Event(events[i], &out)
		out.Reset()
	}
	return r, events
}

// BenchmarkTick is what one second costs: the callbacks whose moment has come,
// of a list of so many.
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			r, _ := crowded(b, n)
			var out derive.Output
			now := dayStart
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Second)
				r.Tick(now, &out)
				out.Reset()
			}
		})
	}
}

// BenchmarkCallbackChanged is what one change costs in such a list.
func BenchmarkCallbackChanged(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			r, events := crowded(b, n)
			var out derive.Output
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := events[i%n]
				e.Sequence += uint64(n)
				r.Event(e, &out)
				out.Reset()
			}
		})
	}
}

// BenchmarkStatus is what an event costs that nothing follows from, the most
// frequent kind (domain report, 4.4).
func BenchmarkStatus(b *testing.B) {
	r, _ := crowded(b, 1_000)
	cat := event.NewCatalog()
	typ, _ := cat.Lookup("QueueStatus")
	e := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: id('q', 1)}}, Data: []byte(`{"maxWaitTime":1}`)}
	var out derive.Output
	b.ReportAllocs()
	for b.Loop() {
		r.Event(e, &out)
	}
}
