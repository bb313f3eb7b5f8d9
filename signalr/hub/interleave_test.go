package hub_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

var (
	rounds = flag.Uint64("resume.rounds", 120, "how many interleavings are tried with stateful reconnect")
	seed   = flag.Uint64("resume.seed", 0, "the seed of the first; 0 takes one at random")
)

// TestInterleavings is calls, pushes, a stream and an upload under stateful
// reconnect while sockets are cut at any moment, replaced while they look alive,
// or read slowly; acknowledgements are lost or late, calls block. Each counted
// message is processed once and in order on both sides; or the connection has
// ended, for a reason with a name, and that holds up to there.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	first, workers := *seed, uint64(runtime.GOMAXPROCS(0))
	if first == 0 {
		first = 1 + rand.Uint64N(1e9)
	}
	t.Logf("seeds %d to %d", first, first+*rounds-1)
	for worker := range workers {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for i := worker; i < *rounds && !t.Failed(); i += workers {
				synctest.Test(t, func(t *testing.T) { interleave(t, first+i) })
			}
		})
	}
}

// A tally is what the hub's methods have taken, of each kind the highest number.
type tally struct {
	calls, items int
	wrong        []string
}

func (y *tally) take(kind string, v signalr.Value, last *int) {
	var text string
	n := 0
	signalr.Decode(v, &text) //nolint:errcheck // 0 will not do
	fmt.Sscan(text, &n)      //nolint:errcheck // likewise
	if *last++; n != *last {
		y.wrong = append(y.wrong, fmt.Sprintf("%s %d where %d is next", kind, n, *last))
		*last = n
	}
}

const streamed = 400 // items of the stream

func (y *tally) options() hub.Options {
	return hub.Options{
		Methods: map[string]hub.Method{
			// Take answers with its number, after so many milliseconds.
			"Take": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				y.take("call", c.Invocation.Arguments[0], &y.calls)
				var pause int
				signalr.Decode(c.Invocation.Arguments[1], &pause) //nolint:errcheck // then it is 0
				time.Sleep(time.Duration(pause) * time.Millisecond)
				return c.Invocation.Arguments[0], nil
			},
			"Collect": func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
				for {
					v, err := c.Uploads[0].Next(ctx)
					if errors.Is(err, io.EOF) {
						return nil, nil
					}
					if err != nil {
						return nil, err
					}
					y.take("item", v, &y.items)
				}
			},
		},
		Uploads: map[string]int{"Collect": 1},
		Streams: map[string]hub.Stream{"Count": func(_ context.Context, _ *hub.Call, send sender) error {
			for i := range streamed {
				if err := send(signalr.Any(strconv.Itoa(i + 1))); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// An interleaving is one round.
type interleaving struct {
	*peer
	conn         *hub.Conn
	tally        tally
	pushes       int
	calls, items int
	mayBeSlow    bool   // the queue is small
	options      [2]int // bounds of queue, replay
	last         [2]int // what settle has seen
}

func interleave(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	r := &interleaving{mayBeSlow: rng.IntN(4) == 0}
	o := r.tally.options()
	o.QueueBytes, o.ReplayBytes = 1<<30, []int{300, 5000, 100_000, 0}[rng.IntN(4)]
	if r.mayBeSlow {
		o.QueueBytes = 20_000
	}
	conns := make(chan *hub.Conn, 1)
	o.OnConnected = func(_ context.Context, c *hub.Conn) error { conns <- c; return nil }
	h := hub.New(o)
	s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}))
	s.server.Network.Buffer = []int{100, 4000, 0}[rng.IntN(3)]
	r.peer = &peer{site: s, rng: rng, protocol: signalr.JSON{}, released: rng.IntN(3) == 0}
	if rng.IntN(2) == 0 {
		r.protocol = signalr.MessagePack{}
	}
	r.options = [2]int{o.QueueBytes, o.ReplayBytes}
	r.shakes()
	r.conn = <-conns
	r.says(&signalr.Invocation{ID: "0", Target: "Count", Stream: true}, &signalr.Invocation{Target: "Collect", StreamIDs: []string{"1"}})
	for range 10 + rng.IntN(40) {
		r.step()
	}
	end := []hub.CloseReason{hub.Draining, "limit", "", ""}[rng.IntN(4)]
	switch end {
	case hub.Draining:
		r.hub.Drain(t.Context(), 0)
	case "limit":
		r.conn.Close(end, "limit", true)
	}
	r.settle()
	r.verdict(seed, end)
}

// step does something at random.
func (r *interleaving) step() {
	if !r.back() {
		return
	}
	padding := func() string { // seldom long
		n := r.rng.IntN(10) * r.rng.IntN(10) * r.rng.IntN(10)
		if r.rng.IntN(10) == 0 {
			n *= 20
		}
		return strings.Repeat(" ", n)
	}
	switch r.rng.IntN(10) {
	case 0, 1:
		var calls []signalr.Message
		for range 1 + r.rng.IntN(30) {
			r.calls++
			pause := max(0, r.rng.IntN(400)-370)
			calls = append(calls, &signalr.Invocation{ID: strconv.Itoa(r.calls), Target: "Take", Arguments: []signalr.Value{signalr.Any(strconv.Itoa(r.calls)), signalr.Any(pause)}})
		}
		r.says(calls...)
	case 2:
		var items []signalr.Message
		for range 1 + r.rng.IntN(20) {
			r.items++
			items = append(items, &signalr.StreamItem{ID: "1", Item: signalr.Any(strconv.Itoa(r.items) + padding())})
		}
		r.says(items...)
	case 3, 4:
		for range 1 + r.rng.IntN(30) {
			r.pushes++
			r.conn.Send(push(strconv.Itoa(r.pushes) + padding()))
		}
	case 5:
		r.lose()
	case 6: // the hub still believes in the old socket
		r.comes()
	case 7:
		r.acknowledges()
	case 8:
		r.mu.Lock()
		r.slow = time.Duration(max(0, r.rng.IntN(4)-2)) * time.Second * time.Duration(r.rng.IntN(10))
		r.mu.Unlock()
	case 9:
		time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Millisecond)
	}
}

// back comes back if the socket is known to be lost. It reports whether the
// connection lives.
func (r *interleaving) back() bool {
	r.mu.Lock()
	down, over := r.down, r.over != ""
	r.mu.Unlock()
	if down && !over {
		time.Sleep(time.Duration(r.rng.IntN(2)*r.rng.IntN(10_000)) * time.Millisecond)
		return r.comes()
	}
	return !over
}

// settle goes on without further harm until all has been said, or nothing comes
// any more.
func (r *interleaving) settle() {
	r.mu.Lock()
	r.slow = 0
	r.mu.Unlock()
	for idle := 0; idle < 30; idle++ {
		if !r.back() {
			return
		}
		r.sock.cutAfter(-1)
		time.Sleep(time.Second)
		r.acknowledges()
		synctest.Wait()
		r.mu.Lock()
		done := r.settled() && r.complete()
		state := [2]int{int(r.latest), len(r.unsure)}
		r.mu.Unlock()
		if done {
			return
		}
		if state != r.last {
			r.last, idle = state, 0
		}
	}
}

// verdict takes the connection down and looks at what has come.
func (r *interleaving) verdict(seed uint64, end hub.CloseReason) {
	r.lose()
	r.readers.Wait()
	time.Sleep(time.Minute)
	synctest.Wait()
	closes := r.hub.Stats().Closes
	got := fmt.Sprintf("hub has %d of %d calls, %d of %d items; client has %v of %d pushes, %d items, %d answers; over %q, closes %v",
		r.tally.calls, r.calls, r.tally.items, r.items, r.heard, r.pushes, streamed, r.calls, r.over, closes)
	wrong := append(r.wrong, r.tally.wrong...)
	allowed := map[hub.CloseReason]bool{end: true, hub.Slow: r.mayBeSlow && r.over != "", hub.Lost: r.over == "" || r.over == "given up"}
	for why := range closes {
		if !allowed[why] {
			wrong = append(wrong, "closed as "+string(why))
		}
	}
	if r.over == "" && (!r.complete() || len(r.unsure) > 0 || r.tally.calls != r.calls || r.tally.items != r.items) {
		wrong = append(wrong, fmt.Sprintf("something is lost, %d acknowledgements are missing", len(r.unsure)))
	}
	if len(wrong) > 0 || len(closes) != 1 {
		r.Fatalf("seed %d, released %t, %s, %+v: %s\nwrong: %q", seed, r.released, r.protocol.Name(), r.options, got, wrong)
	}
}

// complete reports whether the client has everything. The caller holds mu.
func (r *interleaving) complete() bool {
	return r.heard["push"] == r.pushes && r.heard["item"] == streamed && r.heard["answer"] == r.calls && r.heard["end"] == 1
}
