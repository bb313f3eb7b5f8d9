package sim_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/sim"
)

// ids lists the envelopes' ids.
func ids(es []sim.Envelope) []string {
	list := make([]string, len(es))
	for i, e := range es {
		list[i] = e.ID
	}
	return list
}

// TestRunRetriesInOrder: whatever publish refuses comes again, the same, and
// nothing overtakes it.
func TestRunRetriesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := sim.Options{Seed: 51, Agents: 12}
		want := ids(sim.New(o).Step(time.Now()))
		reference := sim.New(o)

		var log bytes.Buffer
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var taken, refused []string
		begin, offers := time.Now(), 0
		err := sim.New(o).Run(ctx, func(_ context.Context, batch []sim.Envelope) error {
			if len(batch) == 0 || len(batch) > 500 {
				t.Errorf("a batch of %d envelopes", len(batch))
			}
			if refused != nil {
				if diff := cmp.Diff(refused, ids(batch)); diff != "" {
					t.Errorf("offered again (-refused +offered):\n%s", diff)
				}
			}
			// Every third offer is refused; and for five seconds in the
			// middle, each.
			offers++
			if since := time.Since(begin); offers%3 == 0 || since > 20*time.Second && since < 25*time.Second {
				refused = ids(batch)
				return errors.New("no room")
			}
			refused = nil
			taken = append(taken, ids(batch)...)
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v, want the end of its context", err)
		}
		for at := time.Duration(0); at <= time.Minute; at += time.Second {
			if at == 0 {
				reference.Step(begin)
				continue
			}
			want = append(want, ids(reference.Step(begin.Add(at)))...)
		}
		if len(taken) < 300 || len(taken) > len(want) {
			t.Fatalf("%d envelopes taken in a minute of which the centre made %d", len(taken), len(want))
		}
		if diff := cmp.Diff(want[:len(taken)], taken); diff != "" {
			t.Errorf("taken (-made +taken):\n%s", diff)
		}
		for _, text := range []string{"simulated events wait to be published", "simulated events are published again", "no room"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("log lacks %q:\n%s", text, log.String())
			}
		}
	})
}

// TestRunCutsLargeBatches: no publish gets more than 500 envelopes.
func TestRunCutsLargeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var sizes []int
		c := sim.New(sim.Options{Seed: 52, Agents: 600, Queues: 10})
		_ = c.Run(ctx, func(_ context.Context, batch []sim.Envelope) error {
			sizes = append(sizes, len(batch))
			return nil
		})
		if diff := cmp.Diff([]int{500, 500, 220}, sizes); diff != "" {
			t.Errorf("sizes (-want +got):\n%s", diff)
		}
	})
}

// TestRunEnds: the end of the context ends a wait for the next try, and a
// publish that is under way.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		publish func(context.Context, []sim.Envelope) error
	}{
		{"between tries", func(context.Context, []sim.Envelope) error { return errors.New("never") }},
		{"in a publish", func(ctx context.Context, _ []sim.Envelope) error { <-ctx.Done(); return ctx.Err() }},
		{"between ticks", func(context.Context, []sim.Envelope) error { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3210*time.Millisecond)
				defer cancel()
				var log bytes.Buffer
				o := sim.Options{Seed: 53, Agents: 3, Log: slog.New(slog.NewTextHandler(&log, nil))}
				err := sim.New(o).Run(ctx, tt.publish)
				if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 3210*time.Millisecond {
					t.Errorf("Run: %v after %v, want the context's end after 3.21s", err, took)
				}
				if refused := tt.name == "between tries"; (log.Len() > 0) != refused {
					t.Errorf("log: %q", log.String())
				}
			})
		})
	}
}

// TestRunSkipsLongPauses: what a sleeping machine has missed is not made up
// for; the centre goes on where it was, with the dates of today.
func TestRunSkipsLongPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const night = 8 * time.Hour
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), night+time.Minute)
		defer cancel()
		var slept bool
		var after []sim.Envelope
		c := sim.New(sim.Options{Seed: 54})
		_ = c.Run(ctx, func(_ context.Context, batch []sim.Envelope) error {
			if slept {
				after = append(after, batch...)
			} else if time.Since(begin) > 10*time.Second {
				slept = true
				<-time.After(night)
			}
			return nil
		})
		if len(after) == 0 || len(after) > 3000 {
			t.Fatalf("%d envelopes in the minute after the night", len(after))
		}
		for _, e := range after {
			if e.Time.Before(begin.Add(night)) {
				t.Fatalf("%s has the time %v of the night, which ended at %v", e.EventName, e.Time, begin.Add(night))
			}
		}
	})
}
