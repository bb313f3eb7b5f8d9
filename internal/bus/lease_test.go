package bus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/bus"
)

// A board keeps a claim in memory. What happens to a request on its way is
// said by fate: how long it takes to come and its answer to go back, and
// whether one of both is lost. nil is a board that answers at once.
type board struct {
	fate func() (before, behind time.Duration, lost, answerLost bool)

	travels sync.WaitGroup

	mu       sync.Mutex
	claim    bus.Claim
	revision uint64
	epochs   []uint64 // of all owners, in order
}

// An outcome is the answer to a request.
type outcome struct {
	claim    bus.Claim
	revision uint64
	err      error
}

// travel lets do answer a request. It does so also when who asked has gone.
func (b *board) travel(ctx context.Context, do func() outcome) outcome {
	var before, behind time.Duration
	var lost, answerLost bool
	if b.fate != nil {
		b.mu.Lock()
		before, behind, lost, answerLost = b.fate()
		b.mu.Unlock()
	}
	answer := make(chan outcome, 1)
	b.travels.Go(func() {
		time.Sleep(before)
		if lost {
			return
		}
		b.mu.Lock()
		o := do()
		b.mu.Unlock()
		time.Sleep(behind)
		if !answerLost {
			answer <- o
		}
	})
	select {
	case o := <-answer:
		return o
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
}

func (b *board) Read(ctx context.Context) (bus.Claim, uint64, error) {
	o := b.travel(ctx, func() outcome { return outcome{claim: b.claim, revision: b.revision} })
	return o.claim, o.revision, o.err
}

func (b *board) Swap(ctx context.Context, c bus.Claim, revision uint64) (uint64, error) {
	o := b.travel(ctx, func() outcome {
		if revision != b.revision {
			return outcome{err: bus.ErrTaken}
		}
		if c.Owner != "" && c.Epoch != b.claim.Epoch {
			b.epochs = append(b.epochs, c.Epoch)
		}
		b.revision++
		b.claim = c
		return outcome{revision: b.revision}
	})
	return o.revision, o.err
}

// TestLeaseHandover: an owner that ends politely is followed at once, one that
// falls silent when it cannot believe in itself any more.
func TestLeaseHandover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		life, margin := bus.LeaseFigures()
		b := &board{}
		type change struct {
			who   string
			epoch uint64
			begin bool
		}
		changes := make(chan change, 100)
		var running sync.WaitGroup
		run := func(who string, r bus.Register) context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			running.Go(func() {
				bus.OwnBy(ctx, who, r, func(ctx context.Context, epoch uint64) {
					changes <- change{who, epoch, true}
					<-ctx.Done()
					changes <- change{who, epoch, false}
				})
			})
			return cancel
		}
		silent := &silencer{Register: b}
		stopA := run("a", silent)
		if got := <-changes; got != (change{"a", 1, true}) {
			t.Fatalf("got %v, want a with epoch 1", got)
		}
		stopB := run("b", b)
		time.Sleep(time.Hour)
		if len(changes) > 0 {
			t.Fatalf("an owner that lives is followed: %v", <-changes)
		}
		silent.set(true)
		began := time.Now()
		if got := <-changes; got != (change{"a", 1, false}) {
			t.Fatalf("got %v, want that a ends", got)
		}
		if d := time.Since(began); d > life-margin {
			t.Errorf("a silent owner ended after %v, want at most %v", d, life-margin)
		}
		if got := <-changes; got != (change{"b", 2, true}) {
			t.Fatalf("got %v, want b with epoch 2", got)
		}
		if d := time.Since(began); d < life-time.Second || d > life+time.Second {
			t.Errorf("b followed after %v, want about %v", d, life)
		}
		silent.set(false)
		time.Sleep(5 * time.Second) // its last request in vain ends
		began = time.Now()
		stopB()
		if got := <-changes; got != (change{"b", 2, false}) {
			t.Fatalf("got %v, want that b ends", got)
		}
		if got := <-changes; got != (change{"a", 3, true}) {
			t.Fatalf("got %v, want a with epoch 3", got)
		}
		if d := time.Since(began); d > time.Second/2 {
			t.Errorf("a followed a polite b after %v, want at most 0.5 s", d)
		}
		stopA()
		<-changes
		running.Wait()
		b.travels.Wait()
	})
}

// A silencer answers nothing while it is set.
type silencer struct {
	bus.Register
	mu  sync.Mutex
	off bool
}

func (s *silencer) set(off bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = off
}

func (s *silencer) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.off
}

func (s *silencer) Read(ctx context.Context) (bus.Claim, uint64, error) {
	if s.silent() {
		<-ctx.Done()
		return bus.Claim{}, 0, ctx.Err()
	}
	return s.Register.Read(ctx)
}

func (s *silencer) Swap(ctx context.Context, c bus.Claim, revision uint64) (uint64, error) {
	if s.silent() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Register.Swap(ctx, c, revision)
}

// TestLeaseNeverTwo: five nodes, requests and answers that are slow or lost,
// owners that return when they like: there are never two at once, each has a
// higher epoch than the one before, and there is mostly one.
func TestLeaseNeverTwo(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("RTE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("RTE_SEED=%d", seed)
	synctest.Test(t, func(t *testing.T) {
		chance := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // no secret is made of it
		b := &board{}
		b.fate = func() (before, behind time.Duration, lost, answerLost bool) {
			slow := func() time.Duration {
				if chance.IntN(10) == 0 {
					return time.Duration(chance.IntN(4000)) * time.Millisecond
				}
				return time.Duration(chance.IntN(20)) * time.Millisecond
			}
			return slow(), slow(), chance.IntN(10) == 0, chance.IntN(10) == 0
		}
		var mu sync.Mutex
		owner, last, owners := "", uint64(0), 0
		var owned time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		var running sync.WaitGroup
		for _, who := range []string{"a", "b", "c", "d", "e"} {
			running.Go(func() {
				bus.OwnBy(ctx, who, b, func(ctx context.Context, epoch uint64) {
					mu.Lock()
					if owner != "" || epoch <= last {
						t.Errorf("%s begins with epoch %d while the owner is %q and the last epoch %d", who, epoch, owner, last)
					}
					owner, last = who, epoch
					owners++
					mu.Unlock()
					b.mu.Lock()
					stay := time.Duration(chance.IntN(60_000)) * time.Millisecond
					b.mu.Unlock()
					began := time.Now()
					select {
					case <-time.After(stay):
					case <-ctx.Done():
					}
					mu.Lock()
					owner = ""
					owned += time.Since(began)
					mu.Unlock()
				})
			})
		}
		running.Wait()
		b.travels.Wait()
		if owners < 50 || owned < time.Hour/2 {
			t.Errorf("%d owners in %v of two hours, want many and most of the time", owners, owned)
		}
		t.Logf("%d owners, %v of 2 h owned", owners, owned)
		for i, e := range b.epochs {
			if i > 0 && e <= b.epochs[i-1] {
				t.Errorf("epoch %d behind %d", e, b.epochs[i-1])
			}
		}
	})
}
