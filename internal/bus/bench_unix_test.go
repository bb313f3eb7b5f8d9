//go:build unix

package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// BenchmarkPublish stores events of 350 bytes; a batch is as many different
// pairs as it is long. cpu-µs/event is the process's, with its garbage
// collection and the making of the events. On two cores that others used, too,
// batches of 100 took 15 µs, watched 19; the client library alone, with one
// reply subject for all, 12, of which republishing is 3.
func BenchmarkPublish(b *testing.B) {
	for _, row := range []struct {
		batch, callers  int
		memory, watched bool
	}{
		{batch: 1, callers: 1},
		{batch: 100, callers: 1},
		{batch: 1, callers: 1, watched: true},
		{batch: 100, callers: 1, watched: true},
		{batch: 100, callers: 4},
		{batch: 100, callers: 4, watched: true},
		{batch: 100, callers: 1, memory: true},
	} {
		name := fmt.Sprintf("batch=%d", row.batch)
		if row.callers > 1 {
			name += fmt.Sprintf("/callers=%d", row.callers)
		}
		if row.watched {
			name += "/watched"
		}
		if row.memory {
			name += "/memory"
		}
		b.Run(name, func(b *testing.B) {
			o := bus.Options{}
			if !row.memory {
				o.Dir = b.TempDir()
			}
			benchmarkPublish(b, o, row.batch, row.callers, row.watched)
		})
	}
}

func benchmarkPublish(b *testing.B, o bus.Options, batch, callers int, watched bool) {
	f := open(b, o)
	if watched {
		stop, err := f.Watch(orgA, func(context.Context, *event.Event) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		defer stop()
	}
	data := append([]byte(`{"text":"`), append(bytes.Repeat([]byte("x"), 339), `"}`...)...)
	publish := func(caller int) {
		events := make([]*event.Event, batch)
		for i := range events {
			events[i] = &event.Event{Topic: f.topic(orgA, "QueueCallInArrived", caller*batch+i), Data: data}
		}
		if errs := f.Publish(b.Context(), events); errs != nil {
			b.Error(errs)
		}
	}
	b.ReportAllocs()
	cpu, events := cpuTime(), 0
	for b.Loop() {
		if callers == 1 {
			publish(0)
		} else {
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() { publish(c) })
			}
			wg.Wait()
		}
		events += callers * batch
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(events), "cpu-µs/event")
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRememberedIDs tells what an id costs while it is remembered, in
// bytes of heap: the difference between events with and without one.
func BenchmarkRememberedIDs(b *testing.B) {
	const batch = 1000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // buffers in pools go with the second one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	grown := map[bool]float64{}
	for _, ids := range []bool{false, true} {
		b.Run(fmt.Sprintf("ids=%v", ids), func(b *testing.B) {
			f := open(b, bus.Options{Dir: b.TempDir(), DedupeWindow: time.Hour, Retention: time.Hour, RetentionBytes: 64 << 20})
			before, n := heap(), 0
			for b.Loop() {
				events := make([]*event.Event, batch)
				for i := range events {
					events[i] = f.event(f.topic(orgA, "QueueCallInArrived", i), n)
					if ids {
						events[i].ID = fmt.Sprint("event-", n)
					}
					n++
				}
				f.publish(events...)
			}
			grown[ids] = (float64(heap()) - float64(before)) / float64(n)
			b.ReportMetric(grown[ids], "B/event")
			if ids {
				b.ReportMetric(grown[true]-grown[false], "B/id")
			}
		})
	}
}
