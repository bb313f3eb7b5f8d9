package signalr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rte/signalr"
)

// packed frames a record, as Append does.
func packed(record []byte) []byte {
	var b []byte
	for n := len(record); ; n >>= 7 {
		if n < 0x80 {
			return append(append(b, byte(n)), record...)
		}
		b = append(b, byte(n)|0x80)
	}
}

// FuzzMessagePackParse: whatever is read can be written, and reading that
// gives the same message and then the same bytes. Nothing panics, also not
// when the values go to a client that speaks JSON.
func FuzzMessagePackParse(f *testing.F) {
	for _, v := range readVectors(f) {
		if record, taken, err := (signalr.MessagePack{}).Split(v.msgpack, 0); taken > 0 && err == nil {
			f.Add(record)
		}
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		p := signalr.MessagePack{}
		m, err := p.Parse(record)
		if err != nil || m == nil {
			if m != nil {
				t.Fatalf("Parse(%x) gives both %v and %v", record, m, err)
			}
			return
		}
		b, err := p.Append(nil, m)
		if err != nil {
			t.Fatalf("Append of what was read from %x: %v", record, err)
		}
		text, taken, err := p.Split(b, 0)
		if err != nil || taken != len(b) || !bytes.Equal(packed(text), b) {
			t.Fatalf("written %x is not one record: %d, %v", b, taken, err)
		}
		again, err := p.Parse(text)
		if err != nil {
			t.Fatalf("Parse(%x), written for %x: %v", text, record, err)
		}
		c, err := p.Append(nil, again)
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("second Append = %x, %v, want %x", c, err, b)
		}
		// A map with an array for a name cannot be said in JSON; all else can.
		j, err := signalr.JSON{}.Append(nil, m)
		if err != nil {
			return
		}
		if len(j) > 40*len(record)+200 {
			t.Fatalf("%d bytes became %d bytes of JSON", len(record), len(j))
		}
		other, err := signalr.JSON{}.Parse(j[:len(j)-1])
		if err != nil && !strings.Contains(err.Error(), "not JSON") { // too deep for a message, not for a value
			t.Fatalf("Parse(%q), written for %x: %v", j, record, err)
		}
		if err == nil {
			if want, got := describe(t, m), describe(t, other); want != got {
				t.Fatalf("%x became %q: %s, want %s", record, j, got, want)
			}
		}
	})
}

// same compares JSON values; numbers are those of 64 bits.
func same(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return plainNumbers(v)
}

// plainNumbers makes whole numbers of 64 bits exact, others fractions, and
// what is too large for both null.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return float64(n) // 1 and 1.0 are the same
		}
		f, _ := strconv.ParseFloat(v.String(), 64) //nolint:errcheck // infinite is an answer
		if math.IsInf(f, 0) {
			return nil
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainNumbers(v[name])
		}
	}
	return v
}

// FuzzTranscode: a JSON value that is sent to a MessagePack client and read
// back is the same value.
func FuzzTranscode(f *testing.F) {
	for _, s := range []string{
		`null`, `true`, ` [ 1 , -1 , 0.5, 1e400, -1e400, -0, 18446744073709551616 ] `, `{"a":{"b":[{}]},"\u0061":"\ud83d\ude00"}`,
		`"` + strings.Repeat("x", 300) + `"`, "[" + strings.Repeat("0,", 20) + "0]", `{"x":{"y":1e999}}`, `[[],{},"",0]`,
	} {
		f.Add([]byte(s))
	}
	for _, v := range readVectors(f) {
		if v.json != nil {
			f.Add(bytes.TrimSuffix(v.json, []byte{0x1e}))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// What a JSON client can send: Parse is the gate.
		m, err := signalr.JSON{}.Parse(append(append([]byte(`{"type":3,"invocationId":"1","result":`), text...), '}'))
		c, ok := m.(*signalr.Completion)
		if err != nil || !ok || c.Result == nil {
			return
		}
		sent, err := c.Result.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := signalr.MessagePack{}.Append(nil, c)
		if err != nil {
			t.Fatalf("Append for %q: %v", text, err)
		}
		record, _, err := signalr.MessagePack{}.Split(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		back, err := signalr.MessagePack{}.Parse(record)
		if err != nil {
			t.Fatalf("Parse(%x), made of %q: %v", record, sent, err)
		}
		again, err := back.(*signalr.Completion).Result.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(same(t, sent), same(t, again)) {
			t.Fatalf("%q became %q", sent, again)
		}
	})
}

// FuzzMessagePackReader: however a stream is cut, the records are those of
// the stream in one piece, and no more than the largest message is held.
func FuzzMessagePackReader(f *testing.F) {
	f.Add([]byte("\x02\x91\x06\x82\x80\x00\x91\x06\x00\x05a"), uint8(10), []byte{0, 2})
	for _, v := range readVectors(f) {
		if v.msgpack != nil {
			f.Add(v.msgpack, uint8(200), []byte{3, 1, 50})
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, limit uint8, cuts []byte) {
		max := int(limit) + 1
		feed := func(cuts []byte) (got [][]byte, err error) {
			r := &signalr.Reader{}
			for i, rest := 0, stream; len(rest) > 0 && err == nil; i++ {
				n := len(rest)
				if len(cuts) > 0 {
					n = min(n, 1+int(cuts[i%len(cuts)]))
				}
				err = r.Feed(signalr.MessagePack{}, max, rest[:n], func(record []byte) error {
					got = append(got, bytes.Clone(record))
					return nil
				})
				rest = rest[n:]
				if r.Held() > max {
					t.Fatalf("the reader holds %d bytes, want at most %d", r.Held(), max)
				}
			}
			return got, err
		}
		want, werr := feed(nil)
		got, err := feed(cuts)
		if !slices.EqualFunc(want, got, bytes.Equal) || (err == nil) != (werr == nil) || errors.Is(err, signalr.ErrTooLarge) != errors.Is(werr, signalr.ErrTooLarge) {
			t.Fatalf("got %x, %v, want %x, %v", got, err, want, werr)
		}
	})
}
