package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"rte/signalr"
)

// An eventStream is the server-sent events transport: one answer that stays
// open is the way down.
type eventStream struct {
	*upstream
	body io.ReadCloser
	in   *bufio.Reader
	max  int // of one event, in bytes
}

func dialEventStream(ctx context.Context, c *http.Client, hub *url.URL, token string, header http.Header, max int) (link, error) {
	u := newUpstream(c, hub, token, header)
	// The request lives as long as the connection; ctx is for the answer.
	stop := context.AfterFunc(ctx, u.cancel)
	resp, err := u.request(u.ctx, "connect", http.MethodGet, nil, "text/event-stream", http.StatusOK)
	if !stop() && err == nil {
		resp.Body.Close()
		err = fmt.Errorf("connect: %w", context.Cause(ctx))
	}
	if err != nil {
		u.cancel()
		return nil, err
	}
	return &eventStream{upstream: u, body: resp.Body, in: bufio.NewReader(resp.Body), max: max}, nil
}

// read returns the data of the next event (the field "data" of its lines).
func (s *eventStream) read() ([]byte, error) {
	var event []byte
	for {
		line, err := s.line(s.max - len(event))
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		data, isData := bytes.CutPrefix(line, []byte("data:"))
		switch {
		case isData:
			if len(event) > 0 {
				event = append(event, '\n')
			}
			event = append(event, bytes.TrimPrefix(data, []byte(" "))...)
		case len(line) == 0 && len(event) > 0:
			return event, nil
		}
	}
}

// line is the next line without its end.
func (s *eventStream) line(max int) ([]byte, error) {
	var line []byte
	for {
		part, err := s.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > max+len("data: \r\n"):
			return nil, signalr.ErrTooLarge
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func (s *eventStream) close() error {
	s.cancel()
	return s.body.Close()
}
