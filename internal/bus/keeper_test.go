package bus_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestMend: a store that is opened again while events are published loses
// none that was acknowledged and doubles none that has an id; whoever watches
// hears each once, the door stays open. (What makes a keeper do it is tested
// with a whole node: a disk that is full for all of its files.)
func TestMend(t *testing.T) {
	t.Parallel()
	d := openWithDoor(t, bus.Options{Dir: t.TempDir()}, userRow{Name: "core", Password: hash(t, "p"), Organizations: []string{orgA.String()}})
	live := d.watch(orgA)
	core := d.dial(nats.UserInfo("core", "p"))
	const publishers, calls = 4, 40
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for n := range calls {
				topic := d.topic(orgA, "QueueCallInArrived", p)
				events := []*event.Event{d.event(topic, 2*n), d.event(topic, 2*n+1)}
				for i, e := range events {
					e.ID = fmt.Sprint(p, "-", 2*n+i)
				}
				for errs := d.Publish(t.Context(), events); errs != nil; errs = d.Publish(t.Context(), events) {
					for _, err := range errs {
						if err != nil && !errors.Is(err, event.ErrUnavailable) {
							t.Errorf("publisher %d: %v", p, err)
							return
						}
					}
				}
			}
		})
	}
	for range 5 {
		if err := d.Mend(); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	if got := d.stream(bus.EventLane).Messages; got != publishers*calls*2 {
		t.Errorf("%d messages, want %d", got, publishers*calls*2)
	}
	next0 := map[event.GUID]int{}
	for range publishers * calls * 2 {
		e := next(t, live, "a stored event")
		if want := fmt.Sprintf(`{"n":%d}`, next0[e.Entity]); string(e.Data) != want {
			t.Fatalf("heard %s of %s, want %s", e.Data, e.Entity, want)
		}
		next0[e.Entity]++
	}
	if len(live) > 0 {
		t.Errorf("%d events were heard twice", len(live))
	}
	if m, err := core.Request(subjectOf(orgA, "userstatus"), []byte("{}"), deadline); err != nil || m.Header.Get("Answer") != "yes" {
		t.Errorf("the door does not answer any more: %v", err)
	}
	if err := d.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

// TestFolderGone: an event is not acknowledged when the folder is gone that it
// was written to, and the bus is not ready, for good.
func TestFolderGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	f := open(t, bus.Options{Dir: dir})
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	errs := f.Publish(t.Context(), []*event.Event{f.event(f.topic(orgA, "UserStatus", 1), 2), f.event(f.topic(orgA, "QueueCallInArrived", 1), 3)})
	if len(errs) != 2 || !errors.Is(errs[0], event.ErrUnavailable) || !errors.Is(errs[1], event.ErrUnavailable) {
		t.Errorf("Publish without a folder: %v, want unavailable", errs)
	}
	eventually(t, "the bus is not ready", func() bool { return f.Ready() != nil })
	began := time.Now()
	if errs := f.Publish(t.Context(), []*event.Event{f.event(f.topic(orgA, "UserStatus", 1), 4)}); errs == nil || time.Since(began) > time.Second {
		t.Errorf("Publish afterwards: %v after %v, want unavailable at once", errs, time.Since(began))
	}
	if err := f.Mend(); err == nil {
		t.Error("a new, empty store took the place of the one that is gone")
	}
}
