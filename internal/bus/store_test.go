package bus_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestLiveLane: subject and headers of a republished message, as the hole
// repair will need them. Streams inside do not republish.
func TestLiveLane(t *testing.T) {
	t.Parallel()
	f := open(t, at(natsServer(t, nil)))
	live, err := f.Conn().SubscribeSync("rte.live.>")
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.topic(orgA, "UserStatus", 1), f.topic(orgA, "UserStatus", 2)
	f.publish(f.event(a, 0))
	f.publish(f.event(b, 1))
	f.publish(f.event(a, 2))
	f.publish(f.event(a, 3))
	for i, want := range []struct {
		topic          event.Topic
		sequence, last uint64
	}{{a, 1, 0}, {b, 2, 0}, {a, 3, 1}, {a, 4, 3}} {
		m, err := live.NextMsg(deadline)
		if err != nil {
			t.Fatal(err)
		}
		if want := "rte.live.0." + orgA.String() + ".userstatus." + want.topic.Entity.String(); m.Subject != want {
			t.Errorf("message %d: subject %s, want %s", i, m.Subject, want)
		}
		for _, h := range []string{"Nats-Sequence", "Nats-Last-Sequence", "Nats-Time-Stamp", "Nats-Msg-Id"} {
			if m.Header.Get(h) == "" {
				t.Errorf("message %d: no header %s", i, h)
			}
		}
		e, sequence, last, err := f.ReadLive(orgA, m)
		if err != nil || sequence != want.sequence || last != want.last || e.Topic != want.topic {
			t.Errorf("message %d: sequence %d after %d, %v; want %d after %d", i, sequence, last, err, want.sequence, want.last)
		}
	}
}

// TestForeignMessage: one that another program put into the stream has the
// store's time, in whole milliseconds.
func TestForeignMessage(t *testing.T) {
	t.Parallel()
	f := open(t, at(natsServer(t, nil)))
	live := f.watch(orgA)
	topic := f.topic(orgA, "UserStatus", 1)
	before := time.Now().Add(-time.Second)
	if err := f.Conn().Publish("rte.state.0."+orgA.String()+".userstatus."+topic.Entity.String(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	e := next(t, live, "live event")
	if e.Time.Before(before) || e.Time.After(time.Now()) || !e.Time.Equal(e.Time.Truncate(time.Millisecond)) || e.Time.Location() != time.UTC {
		t.Errorf("time %v, want now in whole milliseconds, UTC", e.Time)
	}
	if d := diff(e, f.last(topic)); d != "" {
		t.Errorf("live and Last differ:\n%s", d)
	}
	// What is no event is left out and counted; the watch lives on.
	for _, m := range []*nats.Msg{
		{Subject: "rte.state.0." + orgA.String() + ".nosuchevent." + topic.Entity.String()},
		{Subject: "rte.state.0." + orgA.String() + ".userstatus.nobody"},
		{Subject: "rte.state.0." + orgA.String() + ".userstatus"},
		{Subject: "rte.live.0." + orgA.String() + ".userstatus." + topic.Entity.String()},
		{Subject: "rte.state.0." + orgA.String() + ".userstatus." + topic.Entity.String(), Header: nats.Header{"Rte-Time": {"noon"}}},
		{Subject: "rte.state.0." + orgA.String() + ".userstatus." + topic.Entity.String(), Header: nats.Header{"Rte-Id": {"%zz"}}},
		{Subject: "rte.state.0." + orgA.String() + ".userstatus." + topic.Entity.String(), Header: nats.Header{"Rte-Previous-Assignee": {"me"}}},
	} {
		if err := f.Conn().PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	good := f.event(topic, 1)
	f.publish(good)
	if got := next(t, live, "the good event"); got.Cursor != good.Cursor {
		t.Errorf("got %s, want %s", got.Data, good.Data)
	}
	if got := f.Stats().Unreadable; got != 7 {
		t.Errorf("%d unreadable, want 7", got)
	}
}

// TestDuplicates: an id of an organization is stored once and answered with
// the place and time of the stored one.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	clock := make(chan time.Time, 10)
	for i := range 10 {
		clock <- time.Unix(int64(1000+i), 0)
	}
	f := open(t, bus.Options{Now: func() time.Time { return <-clock }})
	first := f.event(f.topic(orgA, "QueueCallInArrived", 1), 1)
	first.ID = "7"
	f.publish(first)

	again := f.event(first.Topic, 2)
	again.ID = "7"
	f.publish(again)
	if again.Cursor != first.Cursor || !again.Time.Equal(first.Time) {
		t.Errorf("again: %s at %v, want %s at %v", again.Cursor, again.Time, first.Cursor, first.Time)
	}
	timed := f.event(first.Topic, 2)
	timed.ID, timed.Time = "7", time.Unix(5, 0).UTC()
	f.publish(timed)
	if timed.Cursor != first.Cursor || !timed.Time.Equal(time.Unix(5, 0)) {
		t.Errorf("again with a time: %s at %v, want %s and the time untouched", timed.Cursor, timed.Time, first.Cursor)
	}
	foreign := f.event(f.topic(orgB, "QueueCallInArrived", 1), 3)
	foreign.ID = "7"
	f.publish(foreign)
	if foreign.Cursor == first.Cursor {
		t.Errorf("two organizations share the id 7")
	}
	f.publish(f.event(first.Topic, 4), f.event(first.Topic, 5)) // no id: never a duplicate
	s := f.Stats()
	if got := f.stream(bus.EventLane).Messages; got != 4 || s.Stored != 4 || s.Duplicates != 2 {
		t.Errorf("%d messages, stored %d, duplicates %d; want 4, 4, 2", got, s.Stored, s.Duplicates)
	}

	// A state event whose value was replaced is not stored again either.
	old := f.event(f.topic(orgA, "UserStatus", 1), 1)
	old.ID = "8"
	f.publish(old, f.event(old.Topic, 2))
	late := f.event(old.Topic, 1)
	late.ID = "8"
	f.publish(late)
	if late.Cursor != old.Cursor || late.Time.IsZero() || !bytes.Equal(f.last(old.Topic).Data, []byte(`{"n":2}`)) {
		t.Errorf("late repeat: %s at %v, newest %s", late.Cursor, late.Time, f.last(old.Topic).Data)
	}
}

// TestReopen: the store survives; its cursors tell whether it is the same.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cat := event.NewCatalog()
	var all []*event.Event
	generation := func(o bus.Options, check func(f *fixture)) {
		t.Helper()
		o.Dir = dir
		b, err := bus.Open(t.Context(), cat, o)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		f := &fixture{Bus: b, t: t, cat: cat}
		check(f)
		f.close()
	}
	publish := func(f *fixture, id string) *event.Event {
		e := f.event(f.topic(orgA, "QueueCallInArrived", len(all)), len(all))
		e.ID = id
		f.publish(e)
		all = append(all, e)
		return e
	}
	cursor := func(e *event.Event) bus.Cursor {
		c, err := bus.ParseCursor(e.Cursor)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	generation(bus.Options{}, func(f *fixture) {
		publish(f, "a")
		s := f.event(f.topic(orgA, "UserStatus", 1), 1)
		f.publish(s)
		if cursor(s).Store == cursor(all[0]).Store {
			t.Errorf("two streams have one identity")
		}
	})
	// Other settings, the same store.
	generation(bus.Options{Retention: time.Hour, RetentionBytes: 1 << 20, DedupeWindow: time.Minute}, func(f *fixture) {
		publish(f, "")
		again := f.event(all[0].Topic, 9)
		again.ID = "a"
		f.publish(again)
		if again.Cursor != all[0].Cursor {
			t.Errorf("the id is forgotten over a restart: %s, want %s", again.Cursor, all[0].Cursor)
		}
	})
	generation(bus.Options{}, func(f *fixture) {
		for _, e := range all {
			if d := diff(e, f.last(e.Topic)); d != "" {
				t.Errorf("after restarts (-want +got):\n%s", d)
			}
		}
	})
	if a, b := cursor(all[0]), cursor(all[1]); b.Store != a.Store || b.Sequence != a.Sequence+1 {
		t.Errorf("cursors %+v, %+v, want one store and neighbours", a, b)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	generation(bus.Options{}, func(f *fixture) {
		if e := f.last(all[0].Topic); e != nil {
			t.Errorf("a wiped store has %+v", e)
		}
		if a, b := cursor(all[0]), cursor(publish(f, "")); a.Store == b.Store {
			t.Errorf("a wiped store has the identity of the one before")
		}
	})
}

func TestLastOfNothing(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	for _, name := range []string{"UserStatus", "QueueCallInArrived"} {
		if e := f.last(f.topic(orgA, name, 1)); e != nil {
			t.Errorf("%s: Last = %+v, want nil", name, e)
		}
	}
	if _, err := f.Last(t.Context(), event.Topic{Pair: event.Pair{Kind: 999}}); err == nil {
		t.Errorf("Last of an event that is not in the catalogue went well")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Last(ctx, f.topic(orgA, "UserStatus", 1)); err == nil {
		t.Errorf("Last with an ended context went well")
	}
}
