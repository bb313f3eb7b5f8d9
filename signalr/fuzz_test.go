package signalr_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"rte/signalr"
)

// FuzzJSONParse: whatever is read can be written, and reading that gives the
// same message and then the same bytes. Nothing panics.
func FuzzJSONParse(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.json != nil {
			f.Add(bytes.TrimSuffix(v.json, []byte{0x1e}))
		}
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if bytes.IndexByte(record, 0x1e) >= 0 {
			return // Split would not give it
		}
		m, err := signalr.JSON{}.Parse(record)
		if err != nil || m == nil {
			if m != nil {
				t.Fatalf("Parse(%q) gives both %v and %v", record, m, err)
			}
			return
		}
		b, err := signalr.JSON{}.Append(nil, m)
		if err != nil {
			t.Fatalf("Append of what was read from %q: %v", record, err)
		}
		text, taken, err := signalr.JSON{}.Split(b, 0)
		if err != nil || taken != len(b) {
			t.Fatalf("written %q is not one record: %d, %v", b, taken, err)
		}
		again, err := signalr.JSON{}.Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q), written for %q: %v", text, record, err)
		}
		if want, got := describe(t, m), describe(t, again); want != got {
			t.Fatalf("%q became %q: %s, want %s", record, text, got, want)
		}
		c, err := signalr.JSON{}.Append(nil, again)
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("second Append = %q, %v, want %q", c, err, b)
		}
	})
}

// FuzzHandshake: a request that is read can be written and read again; neither
// reader panics.
func FuzzHandshake(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.json != nil {
			f.Add(v.json)
		}
	}
	f.Fuzz(func(t *testing.T, buf []byte) {
		text, taken := signalr.SplitHandshake(buf)
		if taken == 0 {
			if bytes.IndexByte(buf, 0x1e) >= 0 {
				t.Fatalf("SplitHandshake(%q) found nothing", buf)
			}
			return
		}
		if taken != len(text)+1 || !bytes.Equal(text, buf[:len(text)]) || buf[len(text)] != 0x1e {
			t.Fatalf("SplitHandshake(%q) = %q, %d", buf, text, taken)
		}
		if failure, err := signalr.ParseHandshakeResponse(text); err == nil {
			b := signalr.AppendHandshakeResponse(nil, failure)
			again, err := signalr.ParseHandshakeResponse(b[:len(b)-1])
			if err != nil || again != failure {
				t.Fatalf("response %q became %q: %q, %v, want %q", text, b, again, err, failure)
			}
		}
		r, err := signalr.ParseHandshakeRequest(text)
		if err != nil {
			if !errors.Is(err, signalr.ErrNotHandshake) {
				t.Fatalf("ParseHandshakeRequest(%q) = %v, want %v", text, err, signalr.ErrNotHandshake)
			}
			return
		}
		b := signalr.AppendHandshakeRequest(nil, r)
		again, err := signalr.ParseHandshakeRequest(b[:len(b)-1])
		if err != nil || again != r {
			t.Fatalf("request %q became %q: %+v, %v, want %+v", text, b, again, err, r)
		}
	})
}

// FuzzReader: however a stream is cut, the records are those of the stream,
// and no more than the largest message is held.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a\x1ebb\x1eccc"), uint8(10), []byte{1, 2, 3})
	f.Add([]byte("\x1e\x1e\x1e"), uint8(1), []byte{1})
	f.Add([]byte("0123456789\x1e0123456789"), uint8(11), []byte{5, 6})
	for _, v := range readVectors(f) {
		f.Add(v.json, uint8(200), []byte{3, 1, 50})
	}
	f.Fuzz(func(t *testing.T, stream []byte, limit uint8, cuts []byte) {
		max := int(limit) + 1
		var want [][]byte
		tooLarge := false
		for rest := stream; len(rest) > 0; {
			i := bytes.IndexByte(rest, 0x1e)
			if tooLarge = i >= max || i < 0 && len(rest) >= max; tooLarge || i < 0 {
				break
			}
			want, rest = append(want, rest[:i]), rest[i+1:]
		}
		r := &signalr.Reader{}
		var got [][]byte
		var err error
		for i, rest := 0, stream; len(rest) > 0 && err == nil; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
			}
			err = r.Feed(signalr.JSON{}, max, rest[:n], func(record []byte) error {
				got = append(got, bytes.Clone(record))
				return nil
			})
			rest = rest[n:]
			if r.Held() > max {
				t.Fatalf("the reader holds %d bytes, want at most %d", r.Held(), max)
			}
		}
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if tooLarge != errors.Is(err, signalr.ErrTooLarge) || !tooLarge && err != nil {
			t.Fatalf("got %v, want too large: %t", err, tooLarge)
		}
	})
}
