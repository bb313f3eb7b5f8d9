package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// TestSurvive cuts the network again and again while calls, pushes, streams,
// uploads and the hub's own calls are under way: the hub sees one connection,
// nothing is lost and nothing comes twice.
func TestSurvive(t *testing.T) {
	for _, protocol := range []signalr.Protocol{signalr.JSON{}, signalr.MessagePack{}} {
		for _, how := range []string{"cut", "half-open"} {
			t.Run(protocol.Name()+" "+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) { survive(t, protocol, how) })
			})
		}
	}
}

func survive(t *testing.T, protocol signalr.Protocol, how string) {
	const each = 300
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	received := make(chan int, each) // by the hub, from Send
	var connected int
	s := newSite(t, hub.Options{
		Methods: map[string]hub.Method{
			"Echo": echo,
			"Take": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				received <- number(t, c.Invocation.Arguments[0])
				return nil, nil
			},
			"Sum": sum,
		},
		Streams:     map[string]hub.Stream{"Slowly": slowly},
		Uploads:     map[string]int{"Sum": 1},
		OnConnected: func(context.Context, *hub.Conn) error { connected++; return nil },
	}, transport.Options{StatefulReconnect: true})
	pushed := make(chan int, each)
	c := s.dial(map[string]func([]signalr.Value){"Push": func(args []signalr.Value) { pushed <- number(t, args[0]) }}, client.Options{
		Protocol: protocol, StatefulReconnect: true, ServerTimeout: 5 * time.Second, KeepAlive: 2 * time.Second,
		Handlers: map[string]client.Handler{"Double": func(_ context.Context, args []signalr.Value) (signalr.Value, error) {
			<-time.After(time.Second)
			return signalr.Any(2 * number(t, args[0])), nil
		}},
		OnReconnecting: func(_ *client.Client, lost error) { t.Errorf("lost: %v", lost) },
		OnClosed: func(_ *client.Client, err error) {
			select {
			case <-t.Context().Done():
			default:
				t.Errorf("closed: %v", err)
			}
		},
	})
	synctest.Wait() // OnConnected has returned
	id, conn := c.ID(), s.hub.Conns()[0]

	var all sync.WaitGroup
	pause := func() { <-time.After(100 * time.Millisecond) }
	all.Go(func() { // calls, some of them at the same time
		for i := range each {
			all.Go(func() {
				if v, err := c.Invoke(t.Context(), "Echo", fmt.Sprint(i)); err != nil || text(t, v) != fmt.Sprint(i) {
					t.Errorf("Echo(%d) = %v, %v", i, v, err)
				}
			})
			pause()
		}
	})
	all.Go(func() {
		for i := range each {
			if err := c.Send(t.Context(), "Take", i); err != nil {
				t.Errorf("Send(%d) = %v", i, err)
			}
			pause()
		}
	})
	all.Go(func() {
		for i := range each {
			conn.Send(signalr.NewFrame(&signalr.Invocation{Target: "Push", Arguments: []signalr.Value{signalr.Any(i)}}))
			pause()
		}
	})
	all.Go(func() {
		for i := range 25 {
			if v, err := conn.Invoke(t.Context(), "Double", signalr.Any(i)); err != nil || number(t, v) != 2*i {
				t.Errorf("Double(%d) = %v, %v", i, v, err)
			}
		}
	})
	all.Go(func() {
		next := 0
		for v, err := range c.Stream(t.Context(), "Slowly", each) {
			if err != nil || number(t, v) != next {
				t.Errorf("item %d is %v, %v", next, v, err)
			}
			next++
		}
		if next != each {
			t.Errorf("%d items, want %d", next, each)
		}
	})
	all.Go(func() {
		v, err := c.Invoke(t.Context(), "Sum", func(_ context.Context, send func(any) error) error {
			for i := range each {
				if err := send(i); err != nil {
					return err
				}
				pause()
			}
			return nil
		})
		if err != nil || number(t, v) != each*(each-1)/2 {
			t.Errorf("Sum = %v, %v", v, err)
		}
	})
	done := async(all.Wait)
	cuts := 0
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		case <-time.After(time.Duration(random.IntN(2000)) * time.Millisecond):
			cuts++
			if how == "cut" {
				s.cable.cut()
			} else {
				s.cable.deaden()
				<-time.After(6 * time.Second) // until it is noticed
			}
		}
	}
	synctest.Wait()
	for i := range each {
		if got := <-received; got != i {
			t.Fatalf("the hub received %d for %d", got, i)
		}
		if got := <-pushed; got != i {
			t.Fatalf("push %d is %d", i, got)
		}
	}
	if n := s.hub.Stats().Resumptions; c.ID() != id || connected != 1 || n == 0 || cuts < 4 {
		t.Errorf("id %s behind %s, %d connections, %d resumptions behind %d cuts", c.ID(), id, connected, n, cuts)
	}
}

// slowly streams the numbers below its argument.
func slowly(_ context.Context, c *hub.Call, send func(signalr.Value) error) error {
	var n int
	if err := c.Bind(&n); err != nil {
		return err
	}
	for i := range n {
		if err := send(signalr.Any(i)); err != nil {
			return err
		}
		<-time.After(100 * time.Millisecond)
	}
	return nil
}
