package tail

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

const (
	// lookEvery is how often the store is asked without having been heard of:
	// what the live lane loses comes so late.
	lookEvery = time.Second
	// pace is the least pause between two looks: a burst is read in few.
	pace = 5 * time.Millisecond
	// awayPause is the pause behind a look that the store did not answer.
	awayPause = 500 * time.Millisecond
	// rewound is for how long the store may have come less far than the
	// reader before that is believed.
	rewound = 35 * time.Second
	// flushBytes is what is gathered before it is written.
	flushBytes = 64 << 10
)

// A stream is one reader's. It is used by the goroutine of its request; wake by
// the live lane, too.
type stream struct {
	h       *Handler
	w       http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context // the request's: a stream lives as long
	who     Reader
	wanted  map[event.Kind]bool // nil: all
	stop    func()              // listening
	wake    chan struct{}       // something was stored; it holds one

	at     bus.Position // everything up to here has been handed on
	out    []byte       // lines to be written
	lines  int
	spoke  time.Time // when something was written
	behind time.Time // since when the store has come less far; zero if it has not
}

// heard is the sink of the live lane: it only says that there is something.
func (s *stream) heard(context.Context, *event.Event) error {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
	return nil
}

// ended ends a stream: nothing more can be written, or nobody reads.
type ended struct{ why End }

func (e ended) Error() string { return "the stream has ended: " + string(e.why) }

// run hands on what is there, waits, and hands on again.
func (s *stream) run() End {
	header := s.w.Header()
	header.Set("Content-Type", "application/x-ndjson")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // proxies are not to hold lines back
	s.w.WriteHeader(http.StatusOK)
	all, err := true, error(nil)
	s.control.Flush() //nolint:errcheck // the reader sees that it may read; what is written next tells
	s.spoke = time.Now()
	for {
		pause := lookEvery
		if err == nil {
			all, err = s.read()
		}
		end, over := errors.AsType[ended](err)
		switch {
		case over:
			return end.why
		case s.lost(err):
			return s.last(Gone, "what comes next is not kept any more: this reader was too slow, or the store was emptied. Leave after out to go on from now, or empty to begin with what is kept")
		case err != nil:
			pause = awayPause
		case !all:
			pause = 0
		}
		if err = s.wait(pause); err == nil {
			continue
		}
		switch end, _ = errors.AsType[ended](err); end.why {
		case Draining:
			return s.last(Draining, "this node is about to stop; go on behind the cursor at another")
		case Expired:
			return s.last(Expired, "the token has ended; go on behind the cursor with another")
		}
	}
}

// lost tells whether what comes next cannot be had any more.
func (s *stream) lost(err error) bool {
	if !errors.Is(err, bus.ErrRewound) {
		s.behind = time.Time{}
		return errors.Is(err, bus.ErrGone)
	}
	if s.behind.IsZero() {
		s.behind = time.Now()
	}
	return time.Since(s.behind) > rewound
}

// read hands on some of what is there; all tells that there is no more.
func (s *stream) read() (all bool, err error) {
	all = true
	for _, at := range [...]*bus.Cursor{&s.at.States, &s.at.Events} {
		events, next, everything, err := s.h.bus.Scan(s.ctx, s.who.Org, *at)
		if err != nil {
			if s.ctx.Err() != nil {
				err = ended{Left}
			}
			return false, err
		}
		for _, e := range events {
			at.Sequence = e.Sequence
			if err := s.line(e); err != nil {
				return false, err
			}
		}
		*at, all = next, all && everything
	}
	return all, s.flush()
}

// line hands on an event, if it is wanted.
func (s *stream) line(e *event.Event) error {
	if s.wanted != nil && !s.wanted[e.Kind] {
		return nil
	}
	s.out = append(s.h.o.Line(s.out, e, s.at.String()), '\n')
	s.lines++
	s.h.lines.Add(1)
	if len(s.out) < flushBytes {
		return nil
	}
	return s.flush()
}

// wait waits until something was stored, or for so long; what is silent for too
// long speaks meanwhile.
func (s *stream) wait(pause time.Duration) error {
	if time.Since(s.spoke) >= s.h.o.Heartbeat {
		s.out = append(s.out, `{"cursor":"`...)
		s.out = append(s.out, s.at.String()...)
		s.out = append(s.out, `","time":"`...)
		s.out = time.Now().UTC().AppendFormat(s.out, "2006-01-02T15:04:05.000Z")
		s.out = append(s.out, "\"}\n"...)
		if err := s.flush(); err != nil {
			return err
		}
	}
	if !s.who.Until.IsZero() && !time.Now().Before(s.who.Until) {
		return ended{Expired}
	}
	timer := time.NewTimer(min(max(pause, pace), s.h.o.Heartbeat))
	defer timer.Stop()
	wake := s.wake
	if pause < lookEvery {
		wake = nil // it looks soon anyway
	}
	select {
	case <-s.ctx.Done():
		return ended{Left}
	case <-s.h.closing:
		return ended{Draining}
	case <-timer.C:
		return nil
	case <-wake:
		time.Sleep(pace) // what comes with it is read with it
		return nil
	}
}

// flush writes the lines that have gathered.
func (s *stream) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	s.control.SetWriteDeadline(time.Now().Add(s.h.o.Patience)) //nolint:errcheck // the write tells
	_, err := s.w.Write(s.out)
	if err == nil {
		err = s.control.Flush()
	}
	s.control.SetWriteDeadline(time.Time{}) //nolint:errcheck // HTTP/2 would end a silent stream
	s.out, s.spoke = s.out[:0], time.Now()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ended{Slow}
	}
	return ended{Left}
}

// last writes why the stream ends, and from where to go on.
func (s *stream) last(why End, text string) End {
	line, err := json.Marshal(struct {
		Error  string `json:"error"`
		Reason End    `json:"reason"`
		Cursor string `json:"cursor"`
	}{text, why, s.at.String()})
	if err == nil {
		s.out = append(append(s.out, line...), '\n')
		s.flush() //nolint:errcheck // it ends in any case
	}
	return why
}
