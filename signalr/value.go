package signalr

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// A Value is an argument, an item or a result: something that can write
// itself. What is sent to many or often implements it; everything else is
// wrapped by [Any].
type Value interface {
	// AppendJSON appends the value as JSON: UTF-8, no record separator.
	AppendJSON(dst []byte) ([]byte, error)
	// AppendMessagePack appends the value as MessagePack.
	AppendMessagePack(dst []byte) ([]byte, error)
}

// Raw is a received value, still in the bytes of its protocol. It may be sent
// on as it is, also to a client of the other protocol.
type Raw struct {
	bytes  []byte
	packed bool // MessagePack, not JSON
}

// RawJSON makes a value of JSON text that is known to be well-formed.
func RawJSON(text []byte) Raw { return Raw{bytes: text} }

// AppendJSON appends the value as JSON.
func (r Raw) AppendJSON(dst []byte) ([]byte, error) {
	if r.packed {
		return appendUnpacked(dst, r.bytes)
	}
	return append(dst, r.bytes...), nil
}

// AppendMessagePack appends the value as MessagePack.
func (r Raw) AppendMessagePack(dst []byte) ([]byte, error) {
	if r.packed {
		return append(dst, r.bytes...), nil
	}
	return AppendRepacked(dst, r.bytes)
}

// Bytes is the value as received; the caller must not change it.
func (r Raw) Bytes() []byte { return r.bytes }

// JSON is the value as JSON; the caller must not change it. The error is about
// what was received.
func (r Raw) JSON() ([]byte, error) {
	if r.packed {
		return appendUnpacked(nil, r.bytes)
	}
	return r.bytes, nil
}

// ErrNotReceived means that [Decode] was given a value of this side.
var ErrNotReceived = errors.New("signalr: only a received value can be decoded")

// Decode reads a received value into a variable. Member names match ignoring
// case, as System.Text.Json's web defaults do.
func Decode(v Value, into any) error {
	r, ok := v.(Raw)
	if !ok {
		return ErrNotReceived
	}
	text, err := r.JSON()
	if err != nil {
		return fmt.Errorf("decode argument: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("decode argument: %w", err)
	}
	return nil
}

// Null is the value nil: the result of a method that returns nothing
// (released servers answer such a call with "result":null).
var Null Value = Raw{bytes: []byte("null")} //nolint:gochecknoglobals // a constant

// Any wraps a Go value that encoding/json can write. Text is written
// unescaped but for what JSON demands, as released servers do. In
// MessagePack, []byte is bin and time.Time the timestamp extension; members
// have the name of their tag "msgpack", else that of "json", else their own.
func Any(v any) Value { return anyValue{v} }

type anyValue struct{ v any }

func (a anyValue) AppendJSON(dst []byte) ([]byte, error) {
	w := appender{dst}
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(a.v); err != nil {
		return dst, fmt.Errorf("encode value: %w", err)
	}
	return w.b[:len(w.b)-1], nil // Encode ends with a newline
}

func (a anyValue) AppendMessagePack(dst []byte) ([]byte, error) {
	w := appender{dst}
	e := msgpack.NewEncoder(&w)
	e.SetCustomStructTag("json")
	e.SetSortMapKeys(true) // equal values are equal bytes
	e.UseCompactInts(true)
	if err := e.Encode(a.v); err != nil {
		return dst, fmt.Errorf("encode value: %w", err)
	}
	return w.b, nil
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
