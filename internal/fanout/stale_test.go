package fanout_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/signalr"
)

// staleIndex is an index where a queue's status is promised every minute, and
// notices are short.
func staleIndex(store *journaltest.Store, status event.Kind) *fanout.Index {
	return fanout.New(event.NewCatalog(), fanout.Options{
		Store: store, Plain: true, Promised: map[event.Kind]time.Duration{status: time.Minute},
		Stale: func(s derive.Staleness) *signalr.Frame {
			word := map[bool]string{true: "stale", false: "fresh"}[s.Stale]
			return signalr.NewFrame(&signalr.Invocation{Target: fmt.Sprintf("%s %x, %s, %s", word, s.Topic.Entity[:2], s.Heard.UTC().Format(time.TimeOnly), s.Promised)})
		},
	})
}

// words are notices as staleIndex makes them, and the data of pushes.
func words(frames []string) (list []string) {
	for _, f := range frames {
		if _, data, ok := strings.Cut(f, `"data":`); ok {
			list = append(list, strings.TrimSuffix(data, "}]}\x1e"))
			continue
		}
		_, target, _ := strings.Cut(f, `"target":"`)
		word, _, _ := strings.Cut(target, `"`)
		list = append(list, word)
	}
	return list
}

// TestStale: who asked for notices is told of its own pairs, of its own
// organization, when they become stale and when they are so no more, between
// the values; who comes later, or asks later, is told at once.
func TestStale(t *testing.T) {
	t.Parallel()
	status := kind(t, "QueueStatus")
	synctest.Test(t, func(t *testing.T) { // it begins at midnight
		store := journaltest.New(event.NewCatalog())
		pair := func(n byte) event.Pair { return event.Pair{Kind: status, Entity: event.GUID{n}} }
		says := func(org, queue byte, data string) {
			store.Publish(&event.Event{Topic: event.Topic{Org: event.GUID{org}, Pair: pair(queue)}, Data: []byte(data)})
		}
		check := func(what string, c *client, want ...string) {
			t.Helper()
			synctest.Wait()
			if d := cmp.Diff(want, words(c.take())); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
		}
		x := staleIndex(store, status)
		says(1, 1, "1")
		says(2, 1, "2")
		says(1, 9, "9") // nobody subscribes to it
		asked, silent, stranger := &client{}, &client{}, &client{}
		a, s, o := join(t, x, event.GUID{1}, asked), join(t, x, event.GUID{1}, silent), join(t, x, event.GUID{2}, stranger)
		a.Notices(true)
		o.Notices(true)
		subscribe(t, a, nil, pair(1), pair(2))
		subscribe(t, s, nil, pair(1))
		subscribe(t, o, nil, pair(1), pair(9))

		time.Sleep(30 * time.Second)
		says(2, 1, "3")
		time.Sleep(32 * time.Second)
		check("a minute later", asked, "stale 0100, 00:00:00, 1m0s")
		check("who did not ask", silent)
		check("another organization, which heard again", stranger, "3")
		says(1, 1, "4")
		says(1, 2, "5")
		check("it is said again", asked, "4", "fresh 0100, 00:01:02, 1m0s", "5")
		check("who did not ask", silent, "4")
		time.Sleep(time.Hour)
		check("two are silent", asked, "stale 0100, 00:01:02, 1m0s", "stale 0200, 00:01:02, 1m0s")
		check("another organization's", stranger, "stale 0100, 00:00:30, 1m0s")

		s.Notices(true)
		check("who asks late", silent, "stale 0100, 00:01:02, 1m0s")
		s.Notices(true)
		subscribe(t, s, nil, pair(1))
		check("and again", silent)
		if err := s.Subscribe(context.Background(), []fanout.Join{{Pair: pair(2), Snapshot: true}}, nil, func([]fanout.Joined) {
			silent.Send(signalr.NewFrame(&signalr.Invocation{Target: "answer"}))
		}); err != nil {
			t.Fatal(err)
		}
		check("who subscribes late", silent, "answer", "5", "stale 0200, 00:01:02, 1m0s")
		s.Notices(false)
		a.Unsubscribe([]event.Pair{pair(2)})
		says(1, 2, "6")
		check("who has unsubscribed", asked)
		check("who does not want to be told any more", silent, "6")
		if got := x.Stats().Promises; got != (derive.RoomStats{Followed: 4, Stale: 3}) { // 1 and 9 of one, 1 of the other
			t.Errorf("promises are %+v", got)
		}
		for _, m := range []*fanout.Member{a, s, o} {
			m.Leave()
		}
		x.Close()
		if got := x.Stats().Promises; got != (derive.RoomStats{}) {
			t.Errorf("when it is closed promises are %+v", got)
		}

		// Another node on the same store.
		y := staleIndex(store, status)
		a = join(t, y, event.GUID{1}, asked)
		a.Notices(true)
		subscribe(t, a, nil, pair(1), pair(2))
		time.Sleep(time.Second)
		check("on another node", asked, "stale 0100, 00:01:02, 1m0s")
		a.Leave()
		y.Close()
	})
}

// narrow is a client with room for a few notices at a time.
type narrow struct {
	client
	room atomic.Int64
}

func (n *narrow) Room() int { return int(n.room.Load()) }

func (n *narrow) Send(f *signalr.Frame) {
	n.client.Send(f)
	n.room.Add(-400)
}

// TestStaleForSlow: a source of thousands of states falls silent, and a slow
// client is told of all of them as it takes them; of one that is fresh again by
// then, nothing.
func TestStaleForSlow(t *testing.T) {
	t.Parallel()
	const pairs = 2*derive.MostChanges + 10
	status := kind(t, "QueueStatus")
	synctest.Test(t, func(t *testing.T) {
		store := journaltest.New(event.NewCatalog())
		x := staleIndex(store, status)
		to := &narrow{}
		m, err := x.Join(t.Context(), event.GUID{1}, event.GUID{}, to)
		if err != nil {
			t.Fatal(err)
		}
		m.Notices(true)
		var all []event.Pair
		for i := range pairs {
			p := event.Pair{Kind: status, Entity: event.GUID{byte(i), byte(i >> 8)}}
			all = append(all, p)
			store.Publish(&event.Event{Topic: event.Topic{Org: event.GUID{1}, Pair: p}, Data: []byte("1")})
		}
		subscribe(t, m, nil, all...)
		to.room.Store(4000)
		time.Sleep(62 * time.Second)
		synctest.Wait()
		if got := len(to.take()); got != 10 {
			t.Fatalf("with room for 10 notices it was told %d", got)
		}
		if got := x.Stats().Promises.Stale; got != pairs {
			t.Errorf("%d are stale at once, want all %d", got, pairs)
		}
		to.room.Store(1 << 30)
		for _, p := range all {
			store.Publish(&event.Event{Topic: event.Topic{Org: event.GUID{1}, Pair: p}, Data: []byte("2")})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		fresh := slices.DeleteFunc(words(to.take()), func(w string) bool { return w == "2" })
		if len(fresh) != 10 || slices.ContainsFunc(fresh, func(w string) bool { return !strings.HasPrefix(w, "fresh ") }) {
			t.Errorf("told %d times that one is fresh, want the 10 that it was told of", len(fresh))
		}
		to.room.Store(0)
		time.Sleep(70 * time.Second)
		for range 5 { // it takes a thousand in each second
			to.room.Store(400 * 1000)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		got := words(to.take())
		slices.Sort(got)
		if n := len(got); n != pairs || len(slices.Compact(got)) != pairs {
			t.Errorf("it was told %d times, want once of each of %d", n, pairs)
		}
		m.Leave()
		x.Close()
	})
}
