package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"rte/signalr"
)

// An eventStream is the server-sent events transport: one answer that stays
// open is the way down.
type eventStream struct {
	*upstream
	body io.ReadCloser
	in   events
}

func dialEventStream(ctx context.Context, q requests, most int) (link, error) {
	u := newUpstream(q)
	// The request lives as long as the connection; ctx is for the answer.
	stop := context.AfterFunc(ctx, u.cut)
	resp, err := u.do(u.ctx, "connect", http.MethodGet, nil, http.Header{"Accept": {"text/event-stream"}}, http.StatusOK)
	if !stop() && err == nil {
		resp.Body.Close()
		err = fmt.Errorf("connect: %w", context.Cause(ctx))
	}
	if err != nil {
		u.cut()
		return nil, err
	}
	return &eventStream{upstream: u, body: resp.Body, in: events{in: bufio.NewReader(resp.Body), most: most}}, nil
}

func (s *eventStream) read() ([]byte, error) {
	event, err := s.in.next()
	if err != nil {
		s.body.Close()
		return nil, fmt.Errorf("receive: %w", err)
	}
	return event, nil
}

// goodbye ends the answer: there is no other way, and none is needed behind a
// POST that was answered.
func (s *eventStream) goodbye() { s.cut() }

// events reads an event stream (HTML standard, "Server-sent events"): lines
// that end with CR LF, LF or CR, an event behind each empty one. Of the fields
// only "data" counts; events of a named type are none of the hub's.
type events struct {
	in   *bufio.Reader
	most int  // of one event, in bytes
	cr   bool // the last line ended with CR: an LF that follows belongs to it
}

// next is the data of the next event that has some.
func (e *events) next() ([]byte, error) {
	var data []byte
	var begun, foreign bool
	for {
		line, err := e.line(e.most - len(data))
		if err != nil {
			return nil, err // an event without its empty line is none
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if len(data) > 0 && !foreign {
				return data, nil
			}
			data, begun, foreign = nil, false, false
		case string(name) == "data":
			if begun {
				data = append(data, '\n')
			}
			data, begun = append(data, value...), true
		case string(name) == "event":
			foreign = len(value) > 0 && string(value) != "message"
		}
	}
}

// line is the next line without its end.
func (e *events) line(most int) ([]byte, error) {
	var line []byte
	for {
		b, err := e.in.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case b == '\n' && e.cr:
			e.cr = false // the other half of the last line's end
			continue
		case b == '\n', b == '\r':
			e.cr = b == '\r'
			return line, nil
		case len(line) >= most+len("data: "):
			return nil, signalr.ErrTooLarge
		}
		e.cr = false
		line = append(line, b)
	}
}
