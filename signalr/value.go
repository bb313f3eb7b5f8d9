package signalr

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Value is an argument, an item or a result: something that can write
// itself. What is sent to many or often implements it; everything else is
// wrapped by [Any].
type Value interface {
	// AppendJSON appends the value as JSON: UTF-8, no record separator.
	AppendJSON(dst []byte) ([]byte, error)
}

// Raw is a received value, still in the bytes of its protocol. It may be sent
// on as it is.
type Raw struct {
	bytes []byte
}

// RawJSON makes a value of JSON text that is known to be well-formed.
func RawJSON(text []byte) Raw { return Raw{text} }

// AppendJSON appends the text.
func (r Raw) AppendJSON(dst []byte) ([]byte, error) { return append(dst, r.bytes...), nil }

// Bytes is the value as received; the caller must not change it.
func (r Raw) Bytes() []byte { return r.bytes }

// ErrNotReceived means that [Decode] was given a value of this side.
var ErrNotReceived = errors.New("signalr: only a received value can be decoded")

// Decode reads a received value into a variable. Member names match ignoring
// case, as System.Text.Json's web defaults do.
func Decode(v Value, into any) error {
	r, ok := v.(Raw)
	if !ok {
		return ErrNotReceived
	}
	if err := json.Unmarshal(r.bytes, into); err != nil {
		return fmt.Errorf("decode argument: %w", err)
	}
	return nil
}

// Null is the value nil: the result of a method that returns nothing
// (released servers answer such a call with "result":null).
var Null Value = Raw{[]byte("null")}

// Any wraps a Go value that encoding/json can write. Text is written
// unescaped but for what JSON demands, as released servers do.
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

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
