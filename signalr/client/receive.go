package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rte/signalr"
)

// receive reads until the connection ends.
func (c *Client) receive(early []byte) {
	err := c.feed(early)
	for err == nil {
		var p []byte
		p, err = c.link.read()
		if ferr := c.feed(p); ferr != nil {
			err = ferr
		}
	}
	c.end(err)
}

func (c *Client) feed(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	c.mu.Lock()
	c.heard = time.Now()
	c.mu.Unlock()
	return c.reader.Feed(c.protocol, c.o.MaxMessageBytes, p, c.record)
}

func (c *Client) record(b []byte) error {
	m, err := c.protocol.Parse(append([]byte(nil), b...))
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *signalr.Invocation:
		c.mu.Lock()
		handlers := c.handlers[strings.ToLower(m.Target)]
		c.busy = true
		c.mu.Unlock()
		for _, fn := range handlers {
			fn(m.Arguments)
		}
		c.mu.Lock()
		c.busy, c.heard = false, time.Now()
		c.mu.Unlock()
		if m.ID != "" { // the hub waits for a result
			return c.send(&signalr.Completion{ID: m.ID, Error: "Client didn't provide a result."})
		}
	case *signalr.Completion:
		c.mu.Lock()
		answer := c.pending[m.ID]
		delete(c.pending, m.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	case *signalr.Close:
		return &ServerError{Text: m.Error, Close: true, AllowReconnect: m.AllowReconnect}
	}
	return nil
}

// ErrServerTimeout is what a client ends with that heard nothing for
// Options.ServerTimeout.
var ErrServerTimeout = errors.New("client: nothing heard from the server for too long")

func (c *Client) errSilent() error { return fmt.Errorf("%w (%v)", ErrServerTimeout, c.o.ServerTimeout) }

// keepAlive pings, and notices a silent server.
func (c *Client) keepAlive() {
	ping := time.NewTicker(c.o.KeepAlive)
	defer ping.Stop()
	watch := time.NewTimer(c.o.ServerTimeout)
	defer watch.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ping.C:
			if c.send(&signalr.Ping{}) != nil {
				return
			}
		case <-watch.C:
			c.mu.Lock()
			left := c.o.ServerTimeout - time.Since(c.heard)
			if c.busy {
				left = c.o.ServerTimeout
			}
			c.mu.Unlock()
			if left <= 0 {
				c.end(c.errSilent())
				return
			}
			watch.Reset(left)
		}
	}
}

// end closes the connection; only the first reason counts.
func (c *Client) end(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		close(c.done)
	}
	c.mu.Unlock()
	if first {
		c.link.close() //nolint:errcheck // there is nothing to do about it
	}
}
