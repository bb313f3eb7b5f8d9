package signalr_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
)

// counted is a value that tells how often it was written.
type counted struct {
	times atomic.Int32
	fail  error
}

func (c *counted) AppendJSON(dst []byte) ([]byte, error) {
	c.times.Add(1)
	return append(dst, `"v"`...), c.fail
}

func (c *counted) AppendMessagePack(dst []byte) ([]byte, error) {
	c.times.Add(1)
	return signalr.AppendPackedText(dst, "v"), c.fail
}

func TestFrameEncodesOnce(t *testing.T) {
	t.Parallel()
	v := &counted{}
	m := &signalr.Invocation{Target: "T", Arguments: []signalr.Value{v}}
	f := signalr.NewFrame(m)
	if f.Message() != m {
		t.Errorf("Message = %v, want %v", f.Message(), m)
	}
	var wg sync.WaitGroup
	var first atomic.Pointer[byte]
	for range 16 {
		wg.Go(func() {
			b, err := f.Bytes(signalr.JSON{})
			if want := "{\"type\":1,\"target\":\"T\",\"arguments\":[\"v\"]}\x1e"; string(b) != want || err != nil {
				t.Errorf("Bytes = %q, %v, want %q", b, err, want)
				return
			}
			if p := &b[0]; !first.CompareAndSwap(nil, p) && first.Load() != p {
				t.Error("two callers got different bytes, want shared ones")
			}
		})
	}
	wg.Wait()
	if n := v.times.Load(); n != 1 {
		t.Errorf("encoded %d times, want once", n)
	}
}

func TestFrameError(t *testing.T) {
	t.Parallel()
	fail := errors.New("fails")
	values := map[string]signalr.Message{
		"argument": &signalr.Invocation{Target: "T", Arguments: []signalr.Value{&counted{fail: fail}}},
		"item":     &signalr.StreamItem{ID: "1", Item: &counted{fail: fail}},
		"result":   &signalr.Completion{ID: "1", Result: &counted{fail: fail}},
	}
	for name, m := range values {
		f := signalr.NewFrame(m)
		for range 2 { // an error must not be kept as bytes
			if b, err := f.Bytes(signalr.JSON{}); !errors.Is(err, fail) || b != nil {
				t.Errorf("%s: Bytes = %q, %v, want %v", name, b, err, fail)
			}
		}
	}
}

// A nil value is null: a push that forgot one must not take the server down.
func TestNilValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		m    signalr.Message
		want string
	}{
		{&signalr.Invocation{Target: "T", Arguments: []signalr.Value{nil, nil}}, `{"type":1,"target":"T","arguments":[null,null]}`},
		{&signalr.StreamItem{ID: "1"}, `{"type":2,"invocationId":"1","item":null}`},
		{&signalr.Completion{ID: "1"}, `{"type":3,"invocationId":"1"}`},
	}
	for _, test := range tests {
		b, err := signalr.JSON{}.Append(nil, test.m)
		if got := strings.TrimSuffix(string(b), "\x1e"); got != test.want || err != nil {
			t.Errorf("Append(%+v) = %s, %v, want %s", test.m, got, err, test.want)
		}
	}
}

func TestAny(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    any
		want string
	}{
		{nil, "null"},
		{"<b>&'\" 客 😀", `"<b>&'\" 客 😀"`},
		{"a\x1eb", `"a\u001eb"`},
		{"\xff", `"\ufffd"`},
		{[]int{1, 2}, "[1,2]"},
		{struct{ A, B any }{1, nil}, `{"A":1,"B":null}`},
		{map[string]int{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{[]byte{1, 2, 3}, `"AQID"`},
	}
	for _, test := range tests {
		b, err := signalr.Any(test.v).AppendJSON([]byte("before "))
		if got := string(b); got != "before "+test.want || err != nil {
			t.Errorf("Any(%v) = %s, %v, want %s", test.v, got, err, test.want)
		}
	}
	if b, err := signalr.Any(make(chan int)).AppendJSON([]byte("before")); err == nil || string(b) != "before" {
		t.Errorf("Any(chan) = %q, %v, want an error and the bytes before", b, err)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type item struct{ EntityID, EventName string }
	want := item{"a", "b"}
	for _, text := range []string{`{"EntityId":"a","EventName":"b"}`, `{"entityId":"a","eventName":"b","x":1}`, `{"ENTITYID":"a","eventname":"b"}`} {
		var got item
		if err := signalr.Decode(signalr.RawJSON([]byte(text)), &got); err != nil {
			t.Errorf("Decode(%s): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Decode(%s) (-want +got):\n%s", text, diff)
		}
	}
	var n int
	if err := signalr.Decode(signalr.RawJSON([]byte(`"x"`)), &n); err == nil {
		t.Error("Decode of text into a number: no error")
	}
	if err := signalr.Decode(signalr.Any(1), &n); !errors.Is(err, signalr.ErrNotReceived) {
		t.Errorf("Decode of an own value = %v, want %v", err, signalr.ErrNotReceived)
	}
	if got := string(signalr.RawJSON([]byte("[1]")).Bytes()); got != "[1]" {
		t.Errorf("Bytes = %s, want [1]", got)
	}
}

func TestJSONProtocol(t *testing.T) {
	t.Parallel()
	if p := (signalr.JSON{}); p.Name() != "json" || p.Binary() {
		t.Errorf("Name, Binary = %q, %t, want json, false", p.Name(), p.Binary())
	}
}
