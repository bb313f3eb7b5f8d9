package signalrtest

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// A stream is one direction of a connection.
type stream struct {
	max int // bytes that may wait to be read

	mu      sync.Mutex
	buf     []byte
	ended   bool          // nothing more will be written
	deaf    bool          // nobody reads any more
	changed chan struct{} // closed at the next change; nil while nobody waits
}

func newStream(max int) *stream { return &stream{max: max} }

// wait is closed at the next change. The caller holds mu.
func (s *stream) wait() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// notify wakes everybody who waits. The caller holds mu.
func (s *stream) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// read takes what there is; with nothing there, changed tells when to look
// again.
func (s *stream) read(p []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.deaf:
		return 0, nil, net.ErrClosed
	case len(s.buf) > 0:
		n = copy(p, s.buf)
		if s.buf = s.buf[n:]; len(s.buf) == 0 {
			s.buf = nil // an idle connection holds nothing
		}
		s.notify()
		return n, nil, nil
	case s.ended:
		return 0, nil, io.EOF
	}
	return 0, s.wait(), nil
}

// write takes what there is room for; with n < len(p), changed tells when to
// try again.
func (s *stream) write(p []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, nil, net.ErrClosed
	case s.deaf:
		return 0, nil, syscall.EPIPE
	}
	n = min(len(p), s.max-len(s.buf))
	if n > 0 {
		s.buf = append(s.buf, p[:n]...)
		s.notify()
	}
	return n, s.wait(), nil
}

func (s *stream) endWriting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.notify()
}

func (s *stream) endReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf, s.buf = true, nil
	s.notify()
}

// A deadline is a point in time that can be waited for and moved. The zero
// value never comes.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	expired bool
	changed chan struct{} // closed when it expires or is moved; nil while nobody waits
}

// wait tells whether the time has come and, if not, when to look again.
func (d *deadline) wait() (changed <-chan struct{}, expired bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.changed, d.expired
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	left := time.Until(t)
	d.become(!t.IsZero() && left <= 0)
	if t.IsZero() || left <= 0 {
		return
	}
	var mine *time.Timer
	mine = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == mine {
			d.become(true)
		}
	})
	d.timer = mine
}

// become sets the state and wakes who waits. The caller holds mu.
func (d *deadline) become(expired bool) {
	d.expired = expired
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}
