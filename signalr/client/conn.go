package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"rte/signalr"
)

// A conn is one connection as the hub knows it: an id, and what is under way.
// It has one link, or with stateful reconnect one after the other.
type conn struct {
	c        *Client
	id       string
	protocol signalr.Protocol
	redial   func(context.Context) (link, error) // another link to the same connection; nil without stateful reconnect

	life context.Context         // ends with the connection; its cause is why
	over context.CancelCauseFunc // called by end
	read chan struct{}           // closed when the reader has ended

	turn  chan struct{} // holds a token while somebody sends; never closed
	poke  chan struct{} // holds a token while later is not empty; never closed
	slots chan struct{} // holds a token for each handler that answers; never closed

	// The reader's.
	reader signalr.Reader

	mu      sync.Mutex
	link    link
	up      bool  // link takes what is sent; else it is being replaced
	broken  error // why link was given up by somebody else than the reader
	closing bool  // this side has said goodbye
	calls   map[string]*call
	waiting waiting            // those who wait for what only the reader can bring
	held    chan struct{}      // closed to let the reader go on; nil while it is not held
	later   []signalr.Message  // to be sent by the keeper
	replay  *replay            // nil without stateful reconnect
	room    chan struct{}      // closed when replay has room again; nil while nobody waits
	heard   time.Time          // when something last came
	busy    bool               // the reader is held up on this side, so the silence is not the server's
	synced  context.CancelFunc // tells that the Sequence has come; nil while none is due
}

func newConn(c *Client, id string, l link) *conn {
	s := &conn{
		c:        c,
		id:       id,
		protocol: c.o.Protocol,
		read:     make(chan struct{}),
		turn:     make(chan struct{}, 1),
		poke:     make(chan struct{}, 1),
		slots:    make(chan struct{}, c.o.MaxHandlers),
		link:     l,
		up:       true,
		calls:    map[string]*call{},
		waiting:  waiting{},
		heard:    time.Now(),
	}
	s.life, s.over = context.WithCancelCause(context.Background())
	return s
}

// start lets the connection live; early came behind the handshake.
func (s *conn) start(early []byte) {
	s.c.running.Go(func() {
		defer close(s.read)
		s.receive(early)
	})
}

// why is the reason that the connection has ended by; nil while it has not.
func (s *conn) why() error { return context.Cause(s.life) }

// lost is what calls fail with that the end of the connection cuts off.
func (s *conn) lost() error {
	why := s.why()
	if errors.Is(why, ErrClosed) {
		return why
	}
	return fmt.Errorf("%w: %w", ErrLost, why)
}

// end ends the connection; only the first reason counts.
func (s *conn) end(err error) {
	s.mu.Lock()
	first := s.life.Err() == nil
	if s.closing {
		err = ErrClosed
	}
	s.over(err)
	if s.synced != nil {
		s.synced()
	}
	l := s.link
	s.mu.Unlock()
	if first {
		l.goodbye()
		l.cut()
	}
}

// goodbye says Close and waits a moment for the hub's. What still comes is
// heard: the hub may have sent it before.
func (s *conn) goodbye() {
	ctx, cancel := context.WithTimeout(s.life, lastWords)
	defer cancel()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	if b, err := s.protocol.Append(nil, &signalr.Close{}); err == nil && s.take(ctx) == nil {
		if l, up := s.current(); up && l.write(b, time.Now().Add(lastWords)) == nil {
			l.goodbye()
		} else {
			cancel()
		}
		<-s.turn
	}
	<-ctx.Done()
	s.end(ErrClosed)
}

// take waits for the turn to send; the caller gives it back.
func (s *conn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.life.Err() != nil {
		return s.lost()
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return s.lost()
	}
}

// current is the link, and whether it takes what is sent.
func (s *conn) current() (l link, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link, s.up
}

// send sends a message. ctx bounds the waiting for those who send already and
// for room in the replay buffer. Once the bytes are under way they cannot be
// taken back: the server has Options.ServerTimeout to take them.
func (s *conn) send(ctx context.Context, m signalr.Message) error {
	return s.sendOver(ctx, m, false)
}

// sendOver sends a message; over says that it need not wait for room.
func (s *conn) sendOver(ctx context.Context, m signalr.Message, over bool) error {
	b, err := s.protocol.Append(nil, m)
	if err != nil {
		return fmt.Errorf("encode %T: %w", m, err)
	}
	for {
		if err := s.take(ctx); err != nil {
			return err
		}
		room := s.remember(m, b, over)
		if room == nil {
			break
		}
		<-s.turn
		if err := s.await(ctx, room); err != nil {
			return err
		}
	}
	l, up := s.current()
	if up {
		err = l.write(b, time.Now().Add(s.c.o.ServerTimeout))
	}
	<-s.turn
	switch {
	case err == nil:
		return nil
	case s.replay != nil: // the next link gets it
		s.giveUp(l, fmt.Errorf("send: %w", err))
		return nil
	}
	return s.unsent(l, fmt.Errorf("send: %w", err))
}

// blame says why a link fails, if nobody has said it before.
func (s *conn) blame(l link, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == l && s.broken == nil {
		s.broken = why
	}
}

// giveUp closes a link; its reader finds out, and mends it if it can.
func (s *conn) giveUp(l link, why error) {
	s.blame(l, why)
	l.cut()
}

// unsent ends the connection because a message could not be sent. The hub may
// have said why before it went: the reader comes first.
func (s *conn) unsent(l link, err error) error {
	s.blame(l, err)
	patience := time.NewTimer(lastWords)
	defer patience.Stop()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.cut() // there is nothing to be read that would explain it
	}
	select {
	case <-s.life.Done():
	case <-patience.C:
		s.end(err)
	}
	return s.lost()
}
