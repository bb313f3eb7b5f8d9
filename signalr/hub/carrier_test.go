package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr"
)

// A carrier is the client's end of a transport: bytes up, whole transport
// messages down.
type carrier interface {
	write(p []byte)
	read() ([]byte, error) // io.EOF at the end
	vanish()
}

// A talker speaks a protocol over a carrier. What it says and hears is written
// as JSON records whatever the protocol is.
type talker struct {
	*testing.T
	carrier
	protocol signalr.Protocol
	heard    []string
	shaken   bool
}

func (k *talker) send(records ...string) {
	k.Helper()
	var b []byte
	for _, record := range records {
		m, err := signalr.JSON{}.Parse([]byte(record))
		if err == nil {
			b, err = k.protocol.Append(b, m)
		}
		if err != nil {
			k.Fatal(err)
		}
	}
	k.write(b)
}

// receive is the next record, or "end".
func (k *talker) receive() string {
	k.Helper()
	for len(k.heard) == 0 {
		p, err := k.read()
		if errors.Is(err, io.EOF) {
			return "end"
		}
		if err != nil {
			k.Fatal(err)
		}
		if !k.shaken { // the answer is JSON in each protocol
			text, taken := signalr.SplitHandshake(p)
			if taken == 0 {
				k.Fatalf("the handshake's answer is %q", p)
			}
			k.shaken = true
			k.heard = append(k.heard, string(text))
			p = p[taken:]
		}
		var reader signalr.Reader
		err = reader.Feed(k.protocol, 1<<20, p, func(b []byte) error {
			m, err := k.protocol.Parse(bytes.Clone(b))
			if err != nil {
				return err
			}
			record, err := signalr.JSON{}.Append(nil, m)
			k.heard = append(k.heard, strings.TrimSuffix(string(record), "\x1e"))
			return err
		})
		if err != nil {
			k.Fatalf("received %q: %v", p, err)
		}
	}
	record := k.heard[0]
	k.heard = k.heard[1:]
	return record
}

func (k *talker) expect(records ...string) {
	k.Helper()
	for _, want := range records {
		if got := k.receive(); got != want {
			k.Fatalf("received %s\n    want %s", got, want)
		}
	}
}

// A socketCarrier is a WebSocket.
type socketCarrier struct {
	*wire
	binary bool
}

func (c socketCarrier) write(p []byte) {
	f := ws.NewTextFrame(p)
	if c.binary {
		f = ws.NewBinaryFrame(p)
	}
	if err := c.frame(f); err != nil {
		c.Fatal(err)
	}
}

func (c socketCarrier) read() ([]byte, error) {
	f, err := readFrame(c.in)
	if err == nil && f.Header.OpCode == ws.OpClose {
		c.frame(ws.NewCloseFrame(f.Payload)) //nolint:errcheck // the answer is a courtesy
		err = io.EOF
	}
	return f.Payload, err
}

func (c socketCarrier) vanish() { c.conn.Close() }

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

func (c webCarrier) write(p []byte) {
	c.Helper()
	resp, err := c.do(http.MethodPost, c.query, "", bytes.NewReader(p))
	if err != nil {
		c.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.Fatalf("POST: %s", resp.Status)
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
