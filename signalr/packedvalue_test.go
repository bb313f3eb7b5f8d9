package signalr_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
)

// A nil value is nil: a push that forgot one must not take the server down.
func TestNilValuesPacked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		m    signalr.Message
		want string
	}{
		{&signalr.Invocation{Target: "T", Arguments: []signalr.Value{nil, nil}}, "960180c0a15492c0c090"},
		{&signalr.StreamItem{ID: "1"}, "940280a131c0"},
		{&signalr.Completion{ID: "1"}, "940380a13102"},
		{&signalr.Completion{ID: "1", Result: signalr.Null}, "950380a13103c0"},
	}
	for _, test := range tests {
		if got := hex.EncodeToString(packedRecord(t, test.m)); got != test.want {
			t.Errorf("Append(%+v) = %s, want %s", test.m, got, test.want)
		}
	}
}

// A frame keeps one form for each protocol, and no error as bytes.
func TestFrameOfTwoProtocols(t *testing.T) {
	t.Parallel()
	v := &counted{}
	f := signalr.NewFrame(&signalr.Completion{ID: "1", Result: v})
	for range 3 {
		j, jerr := f.Bytes(signalr.JSON{})
		p, perr := f.Bytes(signalr.MessagePack{})
		if jerr != nil || string(j) != "{\"type\":3,\"invocationId\":\"1\",\"result\":\"v\"}\x1e" {
			t.Errorf("JSON = %q, %v", j, jerr)
		}
		if perr != nil || string(p) != "\x08\x95\x03\x80\xa11\x03\xa1v" {
			t.Errorf("MessagePack = %q, %v", p, perr)
		}
	}
	if n := v.times.Load(); n != 2 {
		t.Errorf("encoded %d times, want once for each protocol", n)
	}
	fail := errors.New("fails")
	for name, m := range map[string]signalr.Message{
		"argument": &signalr.Invocation{Target: "T", Arguments: []signalr.Value{&counted{fail: fail}}},
		"item":     &signalr.StreamItem{ID: "1", Item: &counted{fail: fail}},
		"result":   &signalr.Completion{ID: "1", Result: &counted{fail: fail}},
	} {
		f := signalr.NewFrame(m)
		for range 2 {
			if b, err := f.Bytes(signalr.MessagePack{}); !errors.Is(err, fail) || b != nil {
				t.Errorf("%s: Bytes = %q, %v, want %v", name, b, err, fail)
			}
		}
	}
}

func TestAnyPacked(t *testing.T) {
	t.Parallel()
	type tagged struct {
		A int    `json:"a"`
		B *int   `json:"b"`
		C string `json:"c,omitempty"`
		D bool   `json:"-"`
		E int    `json:"e" msgpack:"ee"`
		F []byte
	}
	tests := []struct {
		v    any
		want string
	}{
		{nil, "c0"},
		{"<b>", "a33c623e"},
		{[]int{1, -1, 200, 70_000}, "9401ffccc8ce00011170"},
		{1.5, "cb3ff8000000000000"},
		{[]byte{1, 2, 3}, "c403010203"},
		{time.Date(2026, 11, 22, 7, 8, 7, 0, time.UTC), "d6ff6b0294d7"},
		{tagged{A: 1, D: true, E: 2, F: []byte{9}}, "84a16101a162c0a2656502a146c40109"},
		{map[string]any{"b": 1, "a": true}, "82a161c3a16201"},
	}
	for _, test := range tests {
		b, err := signalr.Any(test.v).AppendMessagePack([]byte("x"))
		if got := hex.EncodeToString(b); got != "78"+test.want || err != nil {
			t.Errorf("Any(%v) = %s, %v, want %s behind 78", test.v, got, err, test.want)
		}
	}
	if b, err := signalr.Any(make(chan int)).AppendMessagePack([]byte("before")); err == nil || string(b) != "before" {
		t.Errorf("Any(chan) = %q, %v, want an error and the bytes before", b, err)
	}
}

func TestDecodePacked(t *testing.T) {
	t.Parallel()
	type item struct {
		EntityID, EventName string
		At                  time.Time
		Body                []byte
	}
	at := time.Date(2026, 11, 22, 7, 8, 7, 6_000_000, time.UTC)
	want := item{EntityID: "a", EventName: "b", At: at, Body: []byte{1, 2}}
	for _, names := range [][]string{{"EntityId", "EventName", "At", "Body"}, {"entityId", "eventName", "at", "body"}, {"ENTITYID", "eventname", "AT", "bODY"}} {
		b := signalr.AppendPackedMap(nil, 5)
		b = signalr.AppendPackedText(signalr.AppendPackedText(b, names[0]), "a")
		b = signalr.AppendPackedText(signalr.AppendPackedText(b, names[1]), "b")
		b = signalr.AppendPackedTime(signalr.AppendPackedText(b, names[2]), at)
		b = signalr.AppendPackedBytes(signalr.AppendPackedText(b, names[3]), []byte{1, 2})
		b = signalr.AppendPackedNil(signalr.AppendPackedText(b, "more"))
		v := received(t, b)
		var got item
		if err := signalr.Decode(v, &got); err != nil {
			t.Errorf("Decode with %v: %v", names, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Decode with %v (-want +got):\n%s", names, diff)
		}
		if string(v.Bytes()) != string(b) {
			t.Errorf("Bytes = %x, want %x", v.Bytes(), b)
		}
	}
	var n int
	if err := signalr.Decode(received(t, []byte{0xa1, 'x'}), &n); err == nil {
		t.Error("Decode of text into a number: no error")
	}
}

// received is a value as a MessagePack client sent it.
func received(t *testing.T, value []byte) signalr.Raw {
	t.Helper()
	m := parsePacked(t, append([]byte{0x95, 3, 0x80, 0xa1, '1', 3}, value...))
	raw, ok := m.(*signalr.Completion).Result.(signalr.Raw)
	if !ok {
		t.Fatalf("result is %T", m.(*signalr.Completion).Result)
	}
	return raw
}

// An error of the writer of a member comes out, wherever the object stands.
func TestAppendRepackedErrors(t *testing.T) {
	t.Parallel()
	fail := errors.New("fails")
	object := func(_, _, _ []byte) ([]byte, error) { return nil, fail }
	array := func(_, _ []byte) ([]byte, error) { return nil, fail }
	for _, dst := range [][]byte{nil, []byte("something before")} {
		if b, err := signalr.AppendRepackedObject(dst, []byte(` {"a":1}`), object); !errors.Is(err, fail) || b != nil {
			t.Errorf("object behind %q = %q, %v, want %v", dst, b, err, fail)
		}
		if b, err := signalr.AppendRepackedArray(dst, []byte(` [1]`), array); !errors.Is(err, fail) || b != nil {
			t.Errorf("array behind %q = %q, %v, want %v", dst, b, err, fail)
		}
	}
}
