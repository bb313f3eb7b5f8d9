package transport

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// An inbound is the way up of the transports whose client sends by POST:
// bodies are fed one after another, never beside each other, and not while
// the receiver holds.
type inbound struct {
	turn  chan struct{} // holds a token while a POST has its turn
	ended chan struct{} // closed by end

	// What the receiver is told is told under calls, so that its end is last.
	// None of it waits for a client.
	calls    sync.Mutex
	receiver Receiver
	deaf     bool // it wants nothing more
	over     bool // it is told nothing more

	mu        sync.Mutex
	gate      chan struct{}            // not nil while the receiver holds; closed to go on
	reading   *http.ResponseController // of the POST whose body is being read
	unreading bool                     // the connection has ended: no body is read any more
}

func (in *inbound) upper() Receiver { return in.receiver }

func newInbound() inbound {
	return inbound{turn: make(chan struct{}, 1), ended: make(chan struct{})}
}

var (
	// errOver means that the connection has ended.
	errOver = errors.New("transport: the connection has ended")
	// errHeard means that the receiver has taken its last bytes.
	errHeard = errors.New("transport: the receiver wants nothing more")
)

// feed reads a body to its end and feeds it in pieces.
func (in *inbound) feed(r *http.Request, control *http.ResponseController, bufs *buffers) error {
	select {
	case in.turn <- struct{}{}:
		defer func() { <-in.turn }()
	case <-in.ended:
		return errOver
	case <-r.Context().Done():
		return r.Context().Err()
	}
	if !in.begin(control) {
		return errOver
	}
	defer in.begin(nil)
	buf := bufs.get()
	defer bufs.put(buf)
	for {
		if err := in.pause(r); err != nil {
			return err
		}
		n, err := r.Body.Read((*buf)[:readSize])
		if n > 0 {
			if err := in.tell((*buf)[:n]); err != nil {
				return err
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

// begin says whose body is being read, so that end can break it off. It
// reports false when the connection has ended.
func (in *inbound) begin(control *http.ResponseController) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reading = control
	return !in.unreading
}

// tell feeds one piece.
func (in *inbound) tell(p []byte) error {
	in.calls.Lock()
	defer in.calls.Unlock()
	if in.over || in.deaf {
		return errOver
	}
	if in.receiver.Feed(p) != nil {
		in.deaf = true
		return errHeard
	}
	return nil
}

// writable tells the receiver that there is room again.
func (in *inbound) writable() {
	in.calls.Lock()
	defer in.calls.Unlock()
	if !in.over {
		in.receiver.Writable()
	}
}

// pause waits while the receiver holds.
func (in *inbound) pause(r *http.Request) error {
	for {
		in.mu.Lock()
		gate := in.gate
		in.mu.Unlock()
		if gate == nil {
			return nil
		}
		select {
		case <-gate:
		case <-in.ended:
			return errOver
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func (in *inbound) hold() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gate == nil {
		in.gate = make(chan struct{})
	}
}

func (in *inbound) resume() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gate != nil {
		close(in.gate)
		in.gate = nil
	}
}

// end tells the receiver, once, that it is over. It waits for what is being
// fed, but not for the client: a body that is still coming is broken off.
func (in *inbound) end(err error) {
	close(in.ended)
	in.mu.Lock()
	in.unreading = true
	if in.reading != nil {
		in.reading.SetReadDeadline(time.Now()) //nolint:errcheck // where it cannot be done, the body has to end by itself
	}
	in.mu.Unlock()
	in.calls.Lock()
	defer in.calls.Unlock()
	in.over = true
	in.receiver.Closed(err)
}

// isOver reports whether the connection has ended.
func (in *inbound) isOver() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.unreading
}

// receive answers a POST when its body has been fed. A body that was not read
// to its end is not waited for: the connection of the network ends with it.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, in *inbound) {
	control := http.NewResponseController(w)
	err := in.feed(r, control, h.bufs)
	if err != nil {
		w.Header().Set("Connection", "close")
		control.SetReadDeadline(time.Now()) //nolint:errcheck // as in end
	}
	switch {
	case err == nil, errors.Is(err, errHeard): // the receiver answers in its own way
		answer(w, http.StatusOK, "")
	case errors.Is(err, errOver), in.isOver():
		answer(w, http.StatusNotFound, "")
	default:
		answer(w, http.StatusBadRequest, "")
	}
}
