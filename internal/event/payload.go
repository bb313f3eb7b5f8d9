package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// A Payload is the data of one event as a Go value: the generated struct of
// its event. JSON null is read into a text as "" and into a list as nil, and
// members that the catalogue does not know are lost: payloads are made and
// looked at with it, not passed on.
type Payload interface {
	Event() string // the event's name
}

// A Null is a value that may be null in JSON; the zero value is null. It is
// comparable where T is.
type Null[T any] struct {
	Value T
	Valid bool // not null
}

// Some is a value that is not null.
func Some[T any](value T) Null[T] { return Null[T]{value, true} }

// MarshalJSON writes the value or null (json.Marshaler).
func (n Null[T]) MarshalJSON() ([]byte, error) {
	if !n.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(n.Value)
}

// UnmarshalJSON reads a value or null (json.Unmarshaler).
func (n *Null[T]) UnmarshalJSON(text []byte) error {
	var read Null[T]
	if !bytes.Equal(text, []byte("null")) {
		read.Valid = true
		if err := json.Unmarshal(text, &read.Value); err != nil {
			return err
		}
	}
	*n = read
	return nil
}

// A DateTime is a date and time as payloads spell it; see [ParseDateTime].
type DateTime string

// OpenEnd is the end of a state without one: .NET's DateTime.MaxValue, which
// never carries a zone (domain report, 2.3).
const OpenEnd DateTime = "9999-12-31T23:59:59.9999999"

// DateTimeOf spells a moment: UTC with Z, to a ten-millionth of a second.
func DateTimeOf(t time.Time) DateTime {
	return DateTime(t.UTC().Format("2006-01-02T15:04:05.9999999Z"))
}

// Time reads a date, as [ParseDateTime] does.
func (d DateTime) Time() (time.Time, error) {
	t, ok := ParseDateTime([]byte(d))
	if !ok {
		return t, fmt.Errorf("not a date and time (%d characters); wanted like 2026-11-22T08:00:00Z", len(d))
	}
	return t, nil
}
