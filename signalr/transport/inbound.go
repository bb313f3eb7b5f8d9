package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// An inbound is the way up of the transports whose client sends by POST:
// bodies are fed one after another, never beside each other, and not while
// the receiver holds.
type inbound struct {
	receiver Receiver
	turn     chan struct{} // holds a token while a POST, or the end, has its turn

	mu   sync.Mutex
	over bool          // nothing may be fed
	gate chan struct{} // not nil while the receiver holds; closed to go on
}

func newInbound() inbound { return inbound{turn: make(chan struct{}, 1)} }

// errOver means that the connection has ended, or wants nothing more.
var errOver = errors.New("transport: the connection has ended")

// feed reads a body to its end and feeds it in pieces.
func (in *inbound) feed(ctx context.Context, body io.Reader, bufs *buffers) error {
	select {
	case in.turn <- struct{}{}:
		defer func() { <-in.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	buf := bufs.get()
	defer bufs.put(buf)
	for {
		if err := in.pause(ctx); err != nil {
			return err
		}
		n, err := body.Read((*buf)[:readSize])
		if n > 0 {
			if in.isOver() || in.receiver.Feed((*buf)[:n]) != nil {
				return errOver
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// pause waits while the receiver holds.
func (in *inbound) pause(ctx context.Context) error {
	in.mu.Lock()
	gate := in.gate
	in.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (in *inbound) isOver() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.over
}

func (in *inbound) hold() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gate == nil && !in.over {
		in.gate = make(chan struct{})
	}
}

func (in *inbound) resume() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open()
}

func (in *inbound) open() {
	if in.gate != nil {
		close(in.gate)
		in.gate = nil
	}
}

// end lets nothing more in and waits for what is being fed.
func (in *inbound) end() {
	in.mu.Lock()
	in.over = true
	in.open()
	in.mu.Unlock()
	in.turn <- struct{}{}
	<-in.turn
}

// receive answers a POST when its body has been fed.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, in *inbound) {
	switch err := in.feed(r.Context(), r.Body, h.bufs); {
	case errors.Is(err, errOver):
		answer(w, http.StatusNotFound, "")
	case err != nil:
		answer(w, http.StatusBadRequest, "")
	default:
		answer(w, http.StatusOK, "")
	}
}
