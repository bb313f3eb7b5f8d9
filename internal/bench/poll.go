package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Poll measures what clients would cost that ask instead of being told: the
// cheapest question that a node answers, GET api/v1/me with a token, over
// connections that stay open. Defaults: 1,000 clients, o.Rate questions a
// second among them, 10 s.
func Poll(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, 1, 1)
	if err != nil {
		return nil, err
	}
	if o.Rate == 0 {
		return nil, errors.New("bench: polling needs a rate")
	}
	return o.scenario(ctx, "poll", func(ctx context.Context, c *crowd, _ *feed, r *Result) error {
		asks, err := c.askers()
		if err != nil {
			return err
		}
		m, err := c.measure(ctx, "asking", func(ctx context.Context) error { return c.poll(ctx, asks) })
		if err != nil {
			return err
		}
		r.add("questionsPerSecond", "questions", rate(m.events, m.took), "/s")
		r.addDelays("answer", "from due until answered", m.delays)
		r.addCost("Question", "per question", m.cost, m.events)
		return nil
	})
}

// An asker is one client that polls, over a connection of its own.
type asker struct {
	http  http.Client
	token string
}

func (c *crowd) askers() ([]*asker, error) {
	list := make([]*asker, c.o.Connections)
	for i := range list {
		token := c.o.Token
		if c.o.Tokens != nil {
			var err error
			if token, err = c.o.Tokens(i); err != nil {
				return nil, fmt.Errorf("token of client %d: %w", i, err)
			}
		}
		list[i] = &asker{http.Client{Transport: &http.Transport{}, Timeout: c.o.Settle}, token}
	}
	return list, nil
}

// poll lets the askers ask in turn, at the rate.
func (c *crowd) poll(ctx context.Context, list []*asker) error {
	defer func() {
		for _, a := range list {
			a.http.CloseIdleConnections()
		}
	}()
	workers := min(c.o.Connectors, len(list))
	failed := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() { failed[w] = c.askInTurn(ctx, list, w, workers) })
	}
	running.Wait()
	return errors.Join(failed...)
}

// askInTurn is one of several workers: it lets every so manyth client ask.
func (c *crowd) askInTurn(ctx context.Context, list []*asker, first, step int) error {
	start, pause := time.Since(c.began), time.Duration(float64(time.Second)/c.o.Rate)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for turn := first; ; turn += step {
		due := time.Duration(turn) * pause
		if due >= c.o.Duration {
			return nil
		}
		due += start
		timer.Reset(due - time.Since(c.began))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := list[turn%len(list)].ask(ctx, c.o.URL); err != nil {
			return err
		}
		c.published.Add(1)
		c.tallies[first%shards].count(time.Since(c.began) - due)
	}
}

func (a *asker) ask(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/api/v1/me", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.http.Do(r)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask: the node answers %s", resp.Status)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	return nil
}
