package hub_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A crowd is a hub with many connections that have shaken hands.
type crowd struct {
	conns []*hub.Conn
	ends  []net.Conn // the clients'
	close func()
}

func newCrowd(b testing.TB, n int, memory bool) *crowd {
	b.Helper()
	c := &crowd{}
	connected := make(chan *hub.Conn, 1)
	h := hub.New(hub.Options{OnConnected: func(_ context.Context, conn *hub.Conn) error { connected <- conn; return nil }})
	handler := transport.NewHandler(h.Accept, transport.Options{})
	mux := transport.Mount("/hub", handler, http.NotFoundHandler())
	d, url := ws.Dialer{}, ""
	var stop func()
	if memory {
		server := signalrtest.NewServer(mux)
		d.NetDial, url, stop = server.Network.Dial, "ws://hub.test/hub", server.Close
	} else {
		server := httptest.NewServer(mux)
		url, stop = "ws"+strings.TrimPrefix(server.URL, "http")+"/hub", server.Close
	}
	c.close = func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		handler.Shutdown(ctx) //nolint:errcheck // everything is open
		h.Close()
		stop()
	}
	hello := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(handshake + "\x1e"))))
	answer := make([]byte, 5)
	for range n {
		end, _, _, err := d.Dial(context.Background(), url)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := end.Write(hello); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(end, answer); err != nil {
			b.Fatal(err)
		}
		c.ends = append(c.ends, end)
		c.conns = append(c.conns, <-connected)
	}
	return c
}

// BenchmarkSend is one frame to all of 1000 connections, until each client has
// read it: the writers' work is in the figure.
func BenchmarkSend(b *testing.B) {
	const n = 1000
	for _, network := range []string{"memory", "loopback"} {
		b.Run(fmt.Sprintf("conns=%d/%s", n, network), func(b *testing.B) {
			c := newCrowd(b, n, network == "memory")
			defer c.close()
			payload := strings.Repeat("x", 300)
			size := int64(len(pushed(payload)) + 1 + 4)
			var got atomic.Int64
			arrived := make(chan struct{}, 1)
			var readers sync.WaitGroup
			for _, end := range c.ends {
				readers.Go(func() {
					buf := make([]byte, 512)
					for {
						k, err := end.Read(buf)
						if err != nil {
							return
						}
						if got.Add(int64(k))%(n*size) == 0 {
							arrived <- struct{}{}
						}
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				f := push(payload)
				for _, conn := range c.conns {
					conn.Send(f)
				}
				<-arrived
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
			for _, end := range c.ends {
				end.Close()
			}
			readers.Wait()
		})
	}
}

// BenchmarkIdleConnection prints what a connection costs that does nothing:
// heap and stacks of this process, the client's end without any goroutine.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 1000
	b.Run(fmt.Sprintf("conns=%d/loopback", n), func(b *testing.B) {
		raiseFileLimit()
		var heap, stack float64
		rounds := 0
		for b.Loop() {
			before := memory()
			c := newCrowd(b, n, false)
			after := memory()
			heap += float64(after.HeapAlloc) - float64(before.HeapAlloc)
			stack += float64(after.StackInuse) - float64(before.StackInuse)
			rounds++
			for _, end := range c.ends {
				end.Close()
			}
			c.close()
		}
		b.ReportMetric(heap/n/float64(rounds), "heap-B/conn")
		b.ReportMetric(stack/n/float64(rounds), "stack-B/conn")
		b.ReportMetric(0, "ns/op")
	})
}

func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) //nolint:errcheck // the dialling tells
	}
}

// BenchmarkInvoke is a call and its answer over one connection in memory.
func BenchmarkInvoke(b *testing.B) {
	h := hub.New(hub.Options{Methods: map[string]hub.Method{"Echo": echo}})
	handler := transport.NewHandler(h.Accept, transport.Options{})
	server := signalrtest.NewServer(transport.Mount("/hub", handler, http.NotFoundHandler()))
	d := ws.Dialer{NetDial: server.Network.Dial}
	end, _, _, err := d.Dial(context.Background(), "ws://hub.test/hub")
	if err != nil {
		b.Fatal(err)
	}
	frame := func(text string) []byte {
		return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text + "\x1e"))))
	}
	exchange := func(request []byte, answer int) {
		if _, err := end.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(end, make([]byte, answer)); err != nil {
			b.Fatal(err)
		}
	}
	exchange(frame(handshake), len("{}_")+2)
	request := frame(call("1", "Echo", `"hello"`))
	b.ReportAllocs()
	for b.Loop() {
		exchange(request, len(result("1", `"hello"`))+1+2)
	}
	end.Close()
	if err := handler.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	h.Close()
	server.Close()
}
