package hub_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// TestIdleMonth: connections over every way, on which nothing happens for a
// month but pings of both sides, need no more at its end than after a day. When
// they have gone, nothing holds them: no goroutine, no timer, no list.
//
// Without RTE_SOAK the month has three days: it is counted in seconds, and the
// race detector looks at each. It measures the whole process, so it is not
// parallel.
func TestIdleMonth(t *testing.T) {
	var held atomic.Int64 // connections that something still refers to
	synctest.Test(t, func(t *testing.T) { idleMonth(t, &held) })
	deadline := time.Now().Add(20 * time.Second)
	for held.Load() > 0 && time.Now().Before(deadline) {
		runtime.GC() // cleanups run beside it, soon
		<-time.After(time.Millisecond)
	}
	if n := held.Load(); n > 0 {
		t.Errorf("%d connections that have ended are still held", n)
	}
}

func idleMonth(t *testing.T, held *atomic.Int64) {
	const day = 24 * time.Hour
	month := 3 * day
	if os.Getenv("RTE_SOAK") != "" {
		month = 30 * day
	}
	s := newSite(t, hub.Options{})
	synctest.Wait()
	empty := measure()

	var clients sync.WaitGroup
	var talkers []*talker
	gone := make(chan struct{})
	for _, way := range ways {
		k := s.talk(way.transport, way.protocol).shaking()
		talkers = append(talkers, k)
		ping, err := way.protocol.Append(nil, &signalr.Ping{})
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() { // reads, and so polls
			for {
				if _, err := k.read(); err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%v: %v", way.transport, err)
					}
					return
				}
			}
		})
		if way.transport == transport.LongPolling {
			continue // polls are its sign of life
		}
		clients.Go(func() {
			every := time.NewTicker(15 * time.Second)
			defer every.Stop()
			for {
				select {
				case <-gone:
					return
				case <-every.C:
				}
				if err := k.write(bytes.Clone(ping)); err != nil {
					t.Errorf("%v: %v", way.transport, err)
					return
				}
			}
		})
	}
	for _, c := range s.hub.Conns() {
		held.Add(1)
		runtime.AddCleanup(c, func(n *atomic.Int64) { n.Add(-1) }, held)
	}
	<-time.After(day)
	synctest.Wait()
	early := measure()
	<-time.After(month - day)
	synctest.Wait()
	late := measure()
	if late.goroutines > early.goroutines {
		t.Errorf("%d goroutines after a day, %d after a month", early.goroutines, late.goroutines)
	}
	if late.objects > early.objects+early.objects/10 || late.bytes > early.bytes+64<<10 {
		t.Errorf("after a day %+v, after a month %+v", early, late)
	}
	if st := s.hub.Stats(); st.Connections != len(ways) || st.Messages != 0 || st.Pings < uint64(len(pinged))*uint64(month/(16*time.Second)) {
		t.Errorf("Stats = %+v", st)
	}
	close(gone)
	for _, k := range talkers {
		k.vanish()
	}
	clients.Wait()
	s.server.Client().CloseIdleConnections()
	<-time.After(time.Minute) // long polling takes a while to notice
	synctest.Wait()
	if left := measure(); left.goroutines > empty.goroutines {
		t.Errorf("%d goroutines before there were connections, %d behind them", empty.goroutines, left.goroutines)
	}
}

// A measured is what the process needs.
type measured struct {
	goroutines     int
	objects, bytes uint64 // of the heap
}

func measure() measured {
	runtime.GC()
	runtime.GC() // what the first one has freed with its cleanups
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return measured{runtime.NumGoroutine(), m.HeapObjects, m.HeapAlloc}
}
