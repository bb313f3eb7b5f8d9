package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rte/producer"
)

// A run is one Verify.
type run struct {
	o     VerifyOptions
	name  string
	began time.Time
	pairs []pair
	stop  context.CancelCauseFunc

	connected atomic.Int64
	published atomic.Uint64

	mu      sync.Mutex
	judge   *Judge
	history *json.Encoder // nil: none is kept
	delays  delays
}

// Verify publishes numbered events, hears them with many clients, and judges.
// An error means that it could not be done; what is wrong with what was heard
// is in the report. When ctx ends early, what was done so far is judged.
func Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	r := &run{
		o: o, stop: stop, began: time.Now(), judge: NewJudge(), pairs: newPairs(o.Pairs),
		name: strconv.FormatUint(rand.Uint64(), 36), //nolint:gosec // no secret
	}
	if o.History != nil {
		lines := bufio.NewWriterSize(o.History, 1<<16)
		defer lines.Flush() //nolint:errcheck // the encoder's next line tells
		r.history = json.NewEncoder(lines)
	}
	for i, p := range r.pairs {
		r.note(Record{Kind: PairNamed, Pair: i, Entity: p.entity.String(), Event: p.name, State: p.state})
	}
	return r.verify(ctx, life)
}

func (r *run) verify(ctx, life context.Context) (*Report, error) {
	phase := atomic.Value{}
	phase.Store("connecting")
	watching, watched := context.WithCancel(life)
	var background sync.WaitGroup
	background.Go(func() { r.tell(watching, &phase) })
	defer background.Wait()
	defer watched()

	listeners := r.listeners()
	defer closeAll(listeners)
	if err := inTurn(ctx, connectors, listeners, func(_ context.Context, l *listener) error { return l.start(life) }); err != nil {
		return nil, err
	}
	phase.Store("publishing")
	began := time.Now()
	if err := r.publish(ctx, life); err != nil {
		return nil, err
	}
	took := time.Since(began)
	phase.Store("settling")
	r.settle(life)
	if err := context.Cause(life); err != nil {
		return nil, err
	}
	return r.report(took), nil
}

// listeners makes the clients: pairs go round, so that each has as many
// hearers as the others.
func (r *run) listeners() []*listener {
	list := make([]*listener, r.o.Connections)
	next := 0
	for i := range list {
		l := &listener{run: r, number: i, byKey: map[string]int{}, cursors: map[int]string{}}
		for range r.o.Subscriptions {
			p := next % len(r.pairs)
			next++
			l.pairs = append(l.pairs, p)
			l.byKey[strings.ToLower(r.pairs[p].entity.String()+":"+r.pairs[p].name)] = p
		}
		list[i] = l
	}
	return list
}

// connectors is how many clients connect at a time.
const connectors = 32

// publish sends events for the run's duration.
func (r *run) publish(ctx, life context.Context) error {
	c, err := producer.New(r.o.PublishURL, producer.Options{
		Token:      func(context.Context) (string, error) { return r.o.Token, nil },
		FirstPause: 20 * time.Millisecond, LongPause: time.Second, Patience: r.o.Settle,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.Duration)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	n := min(publishers, len(r.pairs))
	failed := make(chan error, n)
	for i := range n {
		p := &publisher{run: r, client: c, rate: r.o.Rate / float64(n)}
		for pair := i; pair < len(r.pairs); pair += n {
			p.pairs = append(p.pairs, pair)
		}
		p.next = make([]uint64, len(p.pairs))
		go func() {
			err := p.publish(ctx, life)
			if err != nil {
				cancel()
			}
			failed <- err
		}()
	}
	for range n {
		err = errors.Join(err, <-failed)
	}
	if cause := context.Cause(life); cause != nil {
		return cause
	}
	return err
}

// settle waits until everybody has heard the last events, or the time is over.
func (r *run) settle(life context.Context) {
	ctx, cancel := context.WithTimeout(life, r.o.Settle)
	defer cancel()
	timer := time.NewTicker(50 * time.Millisecond)
	defer timer.Stop()
	for quiet := 0; quiet < 10; { // what comes twice comes behind
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		behind := r.judge.Behind()
		r.mu.Unlock()
		if quiet++; behind > 0 {
			quiet = 0
		}
	}
}

// note takes a record to the judge and into the history.
func (r *run) note(rec Record) {
	rec.At = time.Since(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(rec)
}

// take is note with mu held.
func (r *run) take(rec Record) {
	err := r.judge.Take(rec)
	if err == nil && r.history != nil {
		err = r.history.Encode(rec)
	}
	if err != nil {
		r.stop(fmt.Errorf("verify: %w", err))
	}
}

// heard notes an event that came.
func (r *run) heard(client, pair int, m mark) {
	now := time.Since(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delays.add(now - time.Duration(m.at))
	r.take(Record{At: now, Kind: Heard, Client: client, Pair: pair, N: m.n})
}

// fail ends the run.
func (r *run) fail(err error) { r.stop(err) }

// tell calls the progress function until ctx ends.
func (r *run) tell(ctx context.Context, phase *atomic.Value) {
	if r.o.Progress == nil {
		return
	}
	timer := time.NewTicker(time.Second)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r.mu.Lock()
		v, behind := r.judge.verdict, r.judge.Behind()
		r.mu.Unlock()
		v.Wrong = nil
		r.o.Progress(Progress{
			Elapsed: time.Since(r.began), Connected: int(r.connected.Load()), Published: r.published.Load(),
			Heard: v.Heard, Behind: behind, Verdict: v, Phase: phase.Load().(string),
		})
	}
}

func (r *run) report(took time.Duration) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.judge.Verdict()
	return &Report{
		Verdict: v, Seconds: took.Seconds(), Rate: float64(r.published.Load()) / took.Seconds(),
		P50: r.delays.quantile(0.5), P99: r.delays.quantile(0.99), Max: r.delays.quantile(1),
	}
}
