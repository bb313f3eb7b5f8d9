package bus_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// An order is a control message of the tests.
type order struct {
	User   string
	Reason string
}

// nodes are two on one external server, and one with the embedded one.
func nodes(t *testing.T) map[string][2]*fixture {
	t.Helper()
	s := natsServer(t, nil)
	alone := open(t, bus.Options{})
	return map[string][2]*fixture{"two nodes": {open(t, at(s)), open(t, at(s))}, "one node": {alone, alone}}
}

// TestControl: what one node sends comes to all, itself included, in order.
func TestControl(t *testing.T) {
	t.Parallel()
	for name, n := range nodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := make(chan order, 100)
			stopA, err := bus.NewControl[order](n[0].Bus, "close").Receive(func(o order) { heard <- o })
			if err != nil {
				t.Fatal(err)
			}
			defer stopA()
			b := bus.NewControl[order](n[1].Bus, "close")
			own := make(chan order, 100)
			stopB, err := b.Receive(func(o order) { own <- o })
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				if err := b.Send(t.Context(), order{User: fmt.Sprint(i), Reason: "test"}); err != nil {
					t.Fatal(err)
				}
				for _, ch := range []chan order{heard, own} {
					if got := next(t, ch, "control message"); got != (order{fmt.Sprint(i), "test"}) {
						t.Fatalf("heard %+v, want %d", got, i)
					}
				}
			}
			// Another kind is another matter, and a body that is none is left out.
			if err := bus.NewControl[string](n[0].Bus, "other").Send(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			if err := n[0].Conn().Publish("rte.control.close", []byte("{")); err != nil {
				t.Fatal(err)
			}
			stopB()
			stopB()
			if err := b.Send(t.Context(), order{User: "last"}); err != nil {
				t.Fatal(err)
			}
			if got := next(t, heard, "control message"); got.User != "last" {
				t.Errorf("heard %+v, want the last one", got)
			}
			if len(own) != 0 {
				t.Errorf("%d heard after stop", len(own))
			}
		})
	}
}

func TestControlErrors(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	if err := bus.NewControl[float64](f.Bus, "x").Send(t.Context(), math.NaN()); err == nil || errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Send of what JSON cannot say: %v, want a final error", err)
	}
	f.close()
	if err := bus.NewControl[int](f.Bus, "x").Send(t.Context(), 1); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Send after Close: %v, want unavailable", err)
	}
	if _, err := bus.NewControl[int](f.Bus, "x").Receive(func(int) {}); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Receive after Close: %v, want unavailable", err)
	}
	for _, name := range []string{"", "a.b", "a b", "*", ">"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the name %q went well, want a panic", name)
				}
			}()
			bus.NewControl[int](f.Bus, name)
		}()
	}
}

// TestKV: a value is on every node, and goes when it is deleted.
func TestKV(t *testing.T) {
	t.Parallel()
	for name, n := range nodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openKV(t, n[0], "rights"), openKV(t, n[1], "rights")
			if _, ok, err := a.Get(t.Context(), "none"); ok || err != nil {
				t.Errorf("Get of nothing: %v, %v", ok, err)
			}
			if err := a.Delete(t.Context(), "none"); err != nil {
				t.Errorf("Delete of nothing: %v", err)
			}
			put(t, a, "org.user", order{"u", "before"})
			changes := watchKV(t, b)
			if got := next(t, changes, "what was there"); got.Key != "org.user" || got.Value.Reason != "before" {
				// The deletion of nothing may come first.
				if got = next(t, changes, "what was there"); got.Value.Reason != "before" {
					t.Errorf("what was there: %+v", got)
				}
			}
			for i := range 10 {
				put(t, a, "org.user", order{"u", fmt.Sprint(i)})
				if got := next(t, changes, "change"); got.Deleted || got.Key != "org.user" || got.Value.Reason != fmt.Sprint(i) {
					t.Fatalf("change %d: %+v", i, got)
				}
			}
			if v, ok, err := b.Get(t.Context(), "org.user"); err != nil || !ok || v.Reason != "9" {
				t.Errorf("Get on the other node: %+v, %v, %v", v, ok, err)
			}
			if err := b.Delete(t.Context(), "org.user"); err != nil {
				t.Fatal(err)
			}
			if got := next(t, changes, "deletion"); !got.Deleted || got.Key != "org.user" || got.Value != (order{}) {
				t.Errorf("deletion: %+v", got)
			}
			if _, ok, err := a.Get(t.Context(), "org.user"); ok || err != nil {
				t.Errorf("Get of what was deleted: %v, %v", ok, err)
			}
			if err := a.Put(t.Context(), "no good key", order{}); err == nil || errors.Is(err, event.ErrUnavailable) {
				t.Errorf("Put with a bad key: %v, want a final error", err)
			}
		})
	}
}

func openKV(t *testing.T, f *fixture, name string) *bus.KV[order] {
	t.Helper()
	kv, err := bus.OpenKV[order](t.Context(), f.Bus, name)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func put(t *testing.T, kv *bus.KV[order], key string, v order) {
	t.Helper()
	if err := kv.Put(t.Context(), key, v); err != nil {
		t.Fatal(err)
	}
}

func watchKV(t *testing.T, kv *bus.KV[order]) <-chan bus.Entry[order] {
	t.Helper()
	ch := make(chan bus.Entry[order], 10_000)
	stop, err := kv.Watch(t.Context(), func(e bus.Entry[order]) { ch <- e })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return ch
}

// TestKVHolds: values outlive the bus, also in the embedded store, and are
// all there when Watch returns.
func TestKVHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const keys = 600 // more than the client's buffer
	first := open(t, bus.Options{Dir: dir})
	kv := openKV(t, first, "lists")
	for i := range keys {
		put(t, kv, fmt.Sprint("k", i), order{"u", "old"})
		put(t, kv, fmt.Sprint("k", i), order{"u", fmt.Sprint(i)})
	}
	first.close()
	second := open(t, bus.Options{Dir: dir})
	changes := watchKV(t, openKV(t, second, "lists"))
	if len(changes) != keys {
		t.Errorf("%d values when Watch returned, want %d", len(changes), keys)
	}
	for range keys {
		if e := next(t, changes, "value"); e.Key != "k"+e.Value.Reason {
			t.Errorf("value %+v", e)
		}
	}
}

// TestKVUnreadable: a value of another shape is left out and logged.
func TestKVUnreadable(t *testing.T) {
	t.Parallel()
	o, book := logged(bus.Options{})
	f := open(t, o)
	texts, err := bus.OpenKV[string](t.Context(), f.Bus, "rights")
	if err != nil {
		t.Fatal(err)
	}
	if err := texts.Put(t.Context(), "a", "no order"); err != nil {
		t.Fatal(err)
	}
	kv := openKV(t, f, "rights")
	if _, _, err := kv.Get(t.Context(), "a"); err == nil || errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Get: %v, want a final error", err)
	}
	changes := watchKV(t, kv)
	put(t, kv, "b", order{"u", "good"})
	if e := next(t, changes, "the good value"); e.Key != "b" {
		t.Errorf("got %+v, want b", e)
	}
	if lines := book.lines("level=WARN", "value left out", "key a"); len(lines) != 1 || strings.Contains(lines[0], "no order") {
		t.Errorf("log: %v, want one line without the value", lines)
	}
}

// TestKVAway: while the server is away nothing goes through; what changed
// meanwhile comes when it is back, at once, and only what changed.
func TestKVAway(t *testing.T) {
	t.Parallel()
	p := newNatsProcess(t)
	f := open(t, p.options())
	kv := openKV(t, f, "rights")
	put(t, kv, "a", order{"u", "1"})
	changes := watchKV(t, kv)
	next(t, changes, "what was there")
	for round := range 3 {
		p.kill()
		if err := kv.Put(within(t, 200*time.Millisecond), "a", order{}); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("Put while away: %v, want unavailable", err)
		}
		if _, _, err := kv.Get(within(t, 200*time.Millisecond), "a"); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("Get while away: %v, want unavailable", err)
		}
		p.start()
		other := open(t, p.options())
		put(t, openKV(t, other, "rights"), "a", order{"u", fmt.Sprint("after ", round)})
		back := time.Now()
		if e := next(t, changes, "the change"); e.Value.Reason != fmt.Sprint("after ", round) {
			t.Errorf("round %d: %+v, want the change and nothing else", round, e)
		}
		if took := time.Since(back); took > 4*time.Second {
			t.Errorf("the change took %v", took)
		}
		other.close()
	}
}

// TestCloseEndsWatches: Close waits for what listens.
func TestCloseEndsWatches(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	kv := openKV(t, f, "rights")
	stopKV, err := kv.Watch(t.Context(), func(bus.Entry[order]) {})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := bus.NewControl[int](f.Bus, "x").Receive(func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	f.close()
	stop()
	stopKV()
	if _, err := kv.Watch(t.Context(), func(bus.Entry[order]) {}); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Watch after Close: %v, want unavailable", err)
	}
}
