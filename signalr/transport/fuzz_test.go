package transport_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr/transport"
)

// FuzzFrames: however the bytes are cut, the reader takes the same frames out
// of them as gobwas/ws does from the whole; it never panics and holds no more
// than a control frame.
func FuzzFrames(f *testing.F) {
	for _, frames := range [][]byte{
		bytes.Join([][]byte{frame(textFrame, "hello"), frame(binaryFrame, "\x00\xff")}, nil),
		bytes.Join([][]byte{frame(textBegin, "a"), frame(pingFrame, "1"), frame(middle, ""), frame(last, "b")}, nil),
		frame(textFrame, strings.Repeat("x", 200)),
		frame(closeFrame, closeBody(1000, "bye")),
		{textFrame, 1, 'a'},
		frame(0xc1, "compressed"),
		{textFrame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5},
		{textFrame, 0xfe, 0, 1, 0, 0, 0, 0, 'a'},
	} {
		f.Add(frames, []byte{})
		f.Add(frames, []byte{0})
		f.Add(frames, []byte{2, 6, 1})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		want := readWhole(stream)
		got := &frameLog{}
		var r transport.FrameReader
		rest := bytes.Clone(stream) // the reader changes it
		for i := 0; len(rest) > 0 && got.status == 0; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
			}
			var err error
			if got.status, err = r.Consume(rest[:n], got.data, got.control); err != nil && got.status == 0 {
				t.Fatalf("Consume: %v, want a close status", err)
			}
			rest = rest[n:]
			if r.Held() > 256 {
				t.Fatalf("the reader holds %d bytes", r.Held())
			}
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Fatalf("%x cut by %v (-want +got):\n%s", stream, cuts, diff)
		}
	})
}

// A frameLog is what was in a stream of frames: payloads of data joined, each
// control frame, and the status if it was broken.
type frameLog struct {
	payload  []byte
	controls []string
	status   ws.StatusCode
}

func (l *frameLog) data(p []byte) error {
	l.payload = append(l.payload, p...)
	return nil
}

func (l *frameLog) control(op ws.OpCode, p []byte) error {
	l.controls = append(l.controls, fmt.Sprintf("%d:%x@%d", op, p, len(l.payload)))
	return nil
}

func (l *frameLog) String() string {
	return fmt.Sprintf("data %s\ncontrol %v\nstatus %d", hex.EncodeToString(l.payload), l.controls, l.status)
}

// readWhole reads the frames with gobwas/ws.
func readWhole(stream []byte) *frameLog {
	l := &frameLog{}
	r := bytes.NewReader(stream)
	state := ws.StateServerSide
	for {
		h, err := ws.ReadHeader(r)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF: //nolint:errorlint // they are not wrapped
			return l
		case err != nil || ws.CheckHeader(h, state) != nil || !h.Masked:
			l.status = ws.StatusProtocolError
			return l
		}
		p := make([]byte, min(h.Length, int64(r.Len())))
		io.ReadFull(r, p) //nolint:errcheck // it is there
		ws.Cipher(p, h.Mask, 0)
		switch {
		case !h.OpCode.IsControl():
			l.data(p) //nolint:errcheck // it has none
			if state = state.Clear(ws.StateFragmented); !h.Fin {
				state = state.Set(ws.StateFragmented)
			}
		case int64(len(p)) == h.Length:
			l.control(h.OpCode, p) //nolint:errcheck // it has none
		}
	}
}

// FuzzToken: nothing opens but what was signed with the same secret, and that
// always does.
func FuzzToken(f *testing.F) {
	secret, now := []byte("secret"), time.Unix(1_800_000_000, 0)
	good := transport.SignToken(secret, [16]byte{1, 2, 3}, now)
	for _, s := range []string{good, "", good[1:], good + "A", strings.ToUpper(good), strings.Repeat("A", 44), strings.Repeat("_", 44), good[:43] + "\n"} {
		f.Add(s, []byte("secret"), []byte("0123456789abcdef"))
		f.Add(s, []byte("other"), []byte{})
	}
	safe := regexp.MustCompile(`^[A-Za-z0-9_-]{44}$`)
	f.Fuzz(func(t *testing.T, token string, key, random []byte) {
		if _, _, ok := transport.OpenToken(secret, token, now); ok && token != good {
			// It would have to be a forgery, or a second spelling of one.
			t.Fatalf("the token %q opens", token)
		}
		var id [16]byte
		copy(id[:], random)
		mine := transport.SignToken(key, id, now.Add(-3*time.Second))
		got, age, ok := transport.OpenToken(key, mine, now)
		if !ok || got != id || age != 3*time.Second || !safe.MatchString(mine) {
			t.Fatalf("the token %q of %x opens as %x, %v, %t", mine, id, got, age, ok)
		}
		if _, _, ok := transport.OpenToken(append([]byte("x"), key...), mine, now); ok {
			t.Fatalf("the token %q opens with another secret", mine)
		}
	})
}

// FuzzNegotiateQuery: any query has a version from 0 to 1 or an error, never
// both.
func FuzzNegotiateQuery(f *testing.F) {
	for _, q := range []string{"", "negotiateVersion=1", "NEGOTIATEVERSION=0", "negotiateVersion=-1", "negotiateVersion=x", "negotiateVersion", "a=b&negotiateVersion=2&negotiateVersion=x", "%zz&negotiateVersion=1", ";", "negotiateVersion=%31"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{Path: "/negotiate", RawQuery: query}}
		version, failure := transport.NegotiateVersion(r)
		if version < 0 || version > 1 || failure != "" && (version != 0 || !strings.HasPrefix(failure, "The client requested ")) {
			t.Fatalf("%q: version %d, %q", query, version, failure)
		}
	})
}
