package client_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rte/signalr/client"
)

// Two sides, a link that loses what is on it, and the law: everything arrives,
// once, in order.
func TestReplay(t *testing.T) {
	t.Parallel()
	for range 200 {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		sides := [2]client.Replay{client.NewReplay(50), client.NewReplay(50)}
		var wires [2][]string // on their way to the side
		var got [2][]string
		var sent [2]int
		deliver := func(to int) {
			record := wires[to][0]
			wires[to] = wires[to][1:]
			var n int64
			if _, err := fmt.Sscanf(record, "ack %d", &n); err == nil {
				sides[to].Acked(n)
				return
			}
			if _, err := fmt.Sscanf(record, "sequence %d", &n); err == nil {
				if !sides[to].Begin(n) {
					t.Fatalf("seed %d: %s is refused", seed, record)
				}
				return
			}
			if sides[to].Came() {
				got[to] = append(got[to], record)
			}
		}
		for range 2000 {
			me := random.IntN(2)
			other := 1 - me
			switch random.IntN(10) {
			case 0, 1, 2:
				if sides[me].Full() {
					continue
				}
				sent[me]++
				record := fmt.Sprint("message ", sent[me])
				sides[me].Add([]byte(record))
				wires[other] = append(wires[other], record)
			case 3:
				if id, owed := sides[me].Ack(); owed {
					wires[other] = append(wires[other], fmt.Sprint("ack ", id))
				}
			case 4:
				if random.IntN(10) > 0 {
					continue
				}
				for side := range sides { // both lose what was on its way, and begin again
					first, again := sides[side].Again()
					wires[1-side] = []string{fmt.Sprint("sequence ", first)}
					for _, b := range again {
						wires[1-side] = append(wires[1-side], string(b))
					}
				}
			default:
				if len(wires[me]) > 0 {
					deliver(me)
				}
			}
		}
		for side := range sides {
			for len(wires[side]) > 0 {
				deliver(side)
			}
			var want []string
			for n := range sent[1-side] {
				want = append(want, fmt.Sprint("message ", n+1))
			}
			if !slices.Equal(got[side], want) {
				t.Fatalf("seed %d: side %d got %q, want %d messages", seed, side, got[side], len(want))
			}
		}
		for side := range sides {
			sides[side].Acked(int64(sent[side]))
			if first, again := sides[side].Again(); first != int64(sent[side])+1 || again != nil || sides[side].Bytes() != 0 {
				t.Fatalf("seed %d: with everything acknowledged it would go on with %d and %d messages, %d bytes", seed, first, len(again), sides[side].Bytes())
			}
		}
	}
}

// Numbers that no honest side sends.
func TestReplayExtremes(t *testing.T) {
	t.Parallel()
	for _, id := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		r := client.NewReplay(10)
		r.Add([]byte("one"))
		r.Add([]byte("two"))
		r.Acked(id)
		first, again := r.Again()
		if want := id == math.MaxInt64; want != (len(again) == 0) || first != 3-int64(len(again)) {
			t.Errorf("behind Ack %d it would go on with %d and %q", id, first, again)
		}
		if r.Begin(id) {
			t.Errorf("Sequence %d is taken", id)
		}
	}
}
