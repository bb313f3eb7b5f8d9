package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
)

// A carrier is the client's end of a transport: bytes up, whole transport
// messages down.
type carrier interface {
	write(p []byte) error
	read() ([]byte, error) // io.EOF at the end
	vanish()
}

// A socketCarrier is a WebSocket.
type socketCarrier struct {
	*wire
	binary bool
	status ws.StatusCode // of the close frame that came
}

func (c *socketCarrier) write(p []byte) error {
	if c.binary {
		return c.frame(ws.NewBinaryFrame(p))
	}
	return c.frame(ws.NewTextFrame(p))
}

func (c *socketCarrier) read() ([]byte, error) {
	f, err := readFrame(c.in)
	switch {
	case err == nil && f.Header.OpCode == ws.OpClose:
		c.status, _ = ws.ParseCloseFrameData(f.Payload)
		c.frame(ws.NewCloseFrame(f.Payload)) //nolint:errcheck // the answer is a courtesy
		err = io.EOF
	case errors.Is(err, net.ErrClosed): // vanished
		err = io.EOF
	}
	return f.Payload, err
}

func (c *socketCarrier) vanish() { c.conn.Close() }

// A webCarrier is what both other transports have in common.
type webCarrier struct {
	*site
	query  string
	ctx    context.Context
	cancel context.CancelFunc
}

func (s *site) webCarrier() webCarrier {
	s.Helper()
	c := webCarrier{site: s}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	s.Cleanup(c.cancel)
	s.leave = append(s.leave, c.cancel)
	resp, err := c.do(http.MethodPost, "/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	var n struct{ ConnectionToken string }
	if err := json.NewDecoder(resp.Body).Decode(&n); err != nil {
		s.Fatal(err)
	}
	c.query = "?id=" + n.ConnectionToken
	return c
}

func (c webCarrier) do(method, path, accept string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.ctx, method, c.server.URL+"/hub"+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	return c.server.Client().Do(r)
}

func (c webCarrier) write(p []byte) error {
	resp, err := c.do(http.MethodPost, c.query, "", bytes.NewReader(p))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST: %s", resp.Status)
	}
	return nil
}

// posts sends a body; what comes of it does not matter.
func (c webCarrier) posts(body io.Reader) {
	if resp, err := c.do(http.MethodPost, c.query, "", body); err == nil {
		resp.Body.Close()
	}
}

// An eventCarrier is server-sent events.
type eventCarrier struct {
	webCarrier
	in *bufio.Reader
}

func (s *site) eventCarrier() carrier {
	s.Helper()
	c := s.webCarrier()
	resp, err := c.do(http.MethodGet, c.query, "text/event-stream", nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { resp.Body.Close() })
	e := eventCarrier{c, bufio.NewReader(resp.Body)}
	if first, err := e.in.ReadString('\n'); err != nil || first != ":\r\n" {
		s.Fatalf("the stream begins with %q, %v", first, err)
	}
	return e
}

func (c eventCarrier) read() (p []byte, err error) {
	for {
		line, err := c.in.ReadString('\n')
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF), c.ctx.Err() != nil: // the hub has cut it, or the client
			return nil, io.EOF
		case err != nil:
			return nil, err
		case ok:
			p = append(p, strings.TrimSuffix(data, "\r\n")...)
		case line == "\r\n":
			return p, nil
		default:
			return nil, fmt.Errorf("parse event: line %q", line)
		}
	}
}

func (c eventCarrier) vanish() { c.cancel() }

// A pollCarrier is long polling.
type pollCarrier struct{ webCarrier }

func (s *site) pollCarrier() carrier {
	s.Helper()
	c := pollCarrier{s.webCarrier()}
	if status, p, err := c.poll(); status != http.StatusOK || len(p) > 0 || err != nil {
		s.Fatalf("first poll: %d with %q, %v", status, p, err)
	}
	return c
}

func (c pollCarrier) poll() (status int, p []byte, err error) {
	resp, err := c.do(http.MethodGet, c.query, "", nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	p, err = io.ReadAll(resp.Body)
	return resp.StatusCode, p, err
}

func (c pollCarrier) read() ([]byte, error) {
	for {
		status, p, err := c.poll()
		switch {
		case c.ctx.Err() != nil: // vanished
			return nil, io.EOF
		case err != nil:
			return nil, err
		case status == http.StatusNoContent || status == http.StatusNotFound:
			return nil, io.EOF
		case status != http.StatusOK:
			return nil, fmt.Errorf("poll: status %d", status)
		case len(p) > 0:
			return p, nil
		}
	}
}

func (c pollCarrier) vanish() { c.cancel() }
