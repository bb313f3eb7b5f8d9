package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestStreams: what the two streams keep, and that an event lives in the one
// that its meaning asks for.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		t.Run(fmt.Sprintf("memory=%v", dir == ""), func(t *testing.T) {
			t.Parallel()
			f := open(t, bus.Options{Dir: dir})
			state := 0
			for _, typ := range f.cat.Events {
				for n := range 3 {
					f.publish(f.event(f.topic(orgA, typ.Name, 1), n))
				}
				if typ.Keeps() {
					state++
				}
			}
			if state != 5 {
				t.Fatalf("the catalogue has %d state events, want 5", state)
			}
			for _, row := range []struct {
				lane                     bus.Lane
				name                     string
				messages, subjects, last int
			}{
				{bus.StateLane, "RTE_STATE_0", state, state, 3 * state},
				{bus.EventLane, "RTE_EVENT_0", 3 * (41 - state), 41 - state, 3 * (41 - state)},
			} {
				got := f.stream(row.lane)
				want := bus.StreamStats{
					Name: row.name, Lane: row.lane, Messages: uint64(row.messages), Subjects: uint64(row.subjects),
					Bytes: got.Bytes, FirstSequence: got.FirstSequence, LastSequence: uint64(row.last),
				}
				if d := cmp.Diff(want, got); d != "" || got.Bytes == 0 {
					t.Errorf("%s (-want +got):\n%s", row.name, d)
				}
			}
			for _, typ := range f.cat.Events {
				if got, want := string(f.last(f.topic(orgA, typ.Name, 1)).Data), `{"n":2}`; got != want {
					t.Errorf("%s: Last = %s, want %s", typ.Name, got, want)
				}
			}
		})
	}
}

func TestStreamSettings(t *testing.T) {
	t.Parallel()
	type settings struct {
		Subjects                  string
		PerSubject, Bytes         int64
		Age, Duplicates           time.Duration
		Discard                   jetstream.DiscardPolicy
		Storage                   jetstream.StorageType
		Replicas, ServerMemoryMiB int
		Sync                      time.Duration
	}
	for _, row := range []struct {
		name         string
		o            bus.Options
		folder       bool
		state, event settings
	}{
		{
			name: "defaults, folder", folder: true,
			state: settings{"rte.state.0.>", 1, -1, 0, 30 * time.Second, jetstream.DiscardOld, jetstream.FileStorage, 1, 64, time.Second},
			event: settings{"rte.event.0.>", -1, 4 << 30, 15 * time.Minute, 30 * time.Second, jetstream.DiscardOld, jetstream.FileStorage, 1, 64, time.Second},
		},
		{
			name:  "defaults, memory",
			state: settings{"rte.state.0.>", 1, -1, 0, 30 * time.Second, jetstream.DiscardOld, jetstream.MemoryStorage, 1, 1280, time.Second},
			event: settings{"rte.event.0.>", -1, 256 << 20, 15 * time.Minute, 30 * time.Second, jetstream.DiscardOld, jetstream.MemoryStorage, 1, 1280, time.Second},
		},
		{
			name: "set", o: bus.Options{Retention: 10 * time.Second, RetentionBytes: 1 << 20, DedupeWindow: time.Minute},
			state: settings{"rte.state.0.>", 1, -1, 0, time.Minute, jetstream.DiscardOld, jetstream.MemoryStorage, 1, 1025, time.Second},
			event: settings{"rte.event.0.>", -1, 1 << 20, 10 * time.Second, 10 * time.Second, jetstream.DiscardOld, jetstream.MemoryStorage, 1, 1025, time.Second},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.folder {
				row.o.Dir = t.TempDir()
			}
			f := open(t, row.o)
			js, err := jetstream.New(f.Conn())
			if err != nil {
				t.Fatal(err)
			}
			server := f.Server().JetStreamConfig()
			for name, want := range map[string]settings{"RTE_STATE_0": row.state, "RTE_EVENT_0": row.event} {
				s, err := js.Stream(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				c := s.CachedInfo().Config
				if c.RePublish != nil {
					t.Errorf("%s republishes to %s: inside the process that costs memory for nothing", name, c.RePublish.Destination)
				}
				got := settings{
					c.Subjects[0], c.MaxMsgsPerSubject, c.MaxBytes, c.MaxAge, c.Duplicates,
					c.Discard, c.Storage, c.Replicas, int(server.MaxMemory >> 20), server.SyncInterval,
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []bus.Options{{Retention: -1}, {RetentionBytes: -1}, {DedupeWindow: -1}, {RetentionBytes: 1 << 60}} {
		b, err := bus.Open(t.Context(), event.NewCatalog(), o)
		if err == nil {
			_ = b.Close(t.Context())
			t.Errorf("Open(%+v) went well, want an error", o)
		}
	}
}

// TestRetention: the Events stream forgets by bytes and by age, State never.
func TestRetention(t *testing.T) {
	t.Parallel()
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		f := open(t, bus.Options{RetentionBytes: 64 << 10})
		for n := range 100 {
			e, s := f.event(f.topic(orgA, "QueueCallInArrived", n), n), f.event(f.topic(orgA, "UserStatus", n), n)
			e.Data, s.Data = make([]byte, 1000), make([]byte, 1000)
			f.publish(e, s)
		}
		if got := f.stream(bus.EventLane); got.Bytes > 64<<10 || got.FirstSequence < 20 || got.LastSequence != 100 {
			t.Errorf("Events: %+v, want at most 64 KiB and the newest", got)
		}
		if got := f.stream(bus.StateLane); got.Messages != 100 {
			t.Errorf("State: %+v, want 100 messages", got)
		}
		if e := f.last(f.topic(orgA, "QueueCallInArrived", 0)); e != nil {
			t.Errorf("Last of a forgotten event = %+v, want nil", e)
		}
	})
	t.Run("age", func(t *testing.T) {
		t.Parallel()
		f := open(t, bus.Options{Retention: 150 * time.Millisecond})
		e, s := f.event(f.topic(orgA, "QueueCallInArrived", 1), 1), f.event(f.topic(orgA, "UserStatus", 1), 1)
		f.publish(s, e)
		eventually(t, "the event is forgotten", func() bool { return f.last(e.Topic) == nil })
		if f.last(s.Topic) == nil {
			t.Errorf("State forgot its newest value")
		}
	})
}

// TestStoreTakenOver: streams that republish, as an older node or a server
// outside has made them, stop when they come inside; what they hold stays.
func TestStoreTakenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := natsServer(t, func(o *server.Options) { o.StoreDir = dir })
	outside, err := bus.Open(t.Context(), event.NewCatalog(), at(srv))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Bus: outside, t: t, cat: event.NewCatalog()}
	e := f.event(f.topic(orgA, "UserStatus", 1), 1)
	f.publish(e)
	f.close()
	stopServer(srv)
	inside := open(t, bus.Options{Dir: dir})
	if got := inside.last(e.Topic); got == nil || got.Cursor != e.Cursor {
		t.Errorf("the event is %+v, want that of %s", got, e.Cursor)
	}
	js, err := jetstream.New(inside.Conn())
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "RTE_STATE_0")
	if err != nil {
		t.Fatal(err)
	}
	if r := s.CachedInfo().Config.RePublish; r != nil {
		t.Errorf("the stream republishes still: %+v", r)
	}
	live := inside.watch(orgA)
	inside.publish(inside.event(e.Topic, 2))
	if got := string(next(t, live, "event").Data); got != `{"n":2}` || len(live) > 0 {
		t.Errorf("heard %s, and %d more", got, len(live))
	}
}
