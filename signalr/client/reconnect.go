package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Policy says, before each attempt to connect again, how long to wait; ok
// false gives up. It is called by one goroutine.
type Policy func(r Retry) (wait time.Duration, ok bool)

// A Retry is what a policy decides by.
type Retry struct {
	Attempt int           // how many attempts have failed since the connection was lost
	Elapsed time.Duration // since the connection was lost
	Err     error         // why it was lost; then, why the last attempt failed
}

// Delays tries once after each of the pauses, then gives up.
func Delays(pauses ...time.Duration) Policy {
	return func(r Retry) (time.Duration, bool) {
		if r.Attempt >= len(pauses) {
			return 0, false
		}
		return pauses[r.Attempt], true
	}
}

// FourAttempts is what released clients do when told to reconnect
// automatically: try at once and after 2, 10 and 30 s, then give up. All
// clients of a hub that restarts come back in the same moments.
func FourAttempts() Policy {
	return Delays(0, 2*time.Second, 10*time.Second, 30*time.Second)
}

// Backoff tries for ever. The pause before each attempt is random, anywhere
// below a limit that begins with first and doubles up to most ("full jitter"),
// so that many clients spread out. Zeros mean 1 s and 30 s.
func Backoff(first, most time.Duration) Policy {
	first, most = orDefault(first, time.Second), orDefault(most, 30*time.Second)
	return func(r Retry) (time.Duration, bool) {
		limit := first
		for range r.Attempt {
			if limit *= 2; limit >= most {
				break
			}
		}
		return rand.N(max(1, min(limit, most))), true
	}
}

// run keeps the client on one connection after the other, until its end.
func (c *Client) run(s *conn) {
	told := make(chan struct{}) // closed when the callback has returned
	close(told)
	for {
		s.keep()
		<-s.read
		<-told
		next, early, err := c.again(s.why())
		if err == nil {
			err = c.adopt(next, early)
		}
		if err != nil {
			c.finish(err)
			return
		}
		s = next
		if on := c.o.OnReconnected; on != nil {
			told = make(chan struct{})
			c.running.Go(func() {
				defer close(told)
				on(c, next.id)
			})
		}
	}
}

// again connects again, as often as the policy allows. Its error is why the
// client ends.
func (c *Client) again(lost error) (s *conn, early []byte, err error) {
	began := time.Now()
	retry := Retry{Err: lost}
	for {
		if c.life.Err() != nil {
			return nil, nil, context.Cause(c.life)
		}
		if c.o.Reconnect == nil || forGood(lost) {
			return nil, nil, lost
		}
		wait, ok := c.o.Reconnect(retry)
		switch {
		case !ok && retry.Attempt == 0:
			return nil, nil, lost
		case !ok:
			return nil, nil, fmt.Errorf("reconnect: gave up behind attempt %d: %w; lost: %w", retry.Attempt, retry.Err, lost)
		case retry.Attempt == 0:
			c.mu.Lock()
			c.become(Reconnecting)
			c.mu.Unlock()
			if c.o.OnReconnecting != nil {
				c.o.OnReconnecting(c, lost)
			}
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-c.life.Done():
			pause.Stop()
			continue
		}
		s, early, err := c.connect(c.life)
		if err == nil {
			return s, early, nil
		}
		retry.Attempt, retry.Elapsed, retry.Err = retry.Attempt+1, time.Since(began), err
	}
}

// forGood says that the hub does not want the client back.
func forGood(lost error) bool {
	e, ok := errors.AsType[*ServerError](lost)
	return ok && e.Close && !e.AllowReconnect
}
