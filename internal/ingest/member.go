package ingest

import (
	"bytes"
	"strconv"
	"unicode"

	"rte/internal/event"
)

// maxIDBytes bounds a producer's id, counted without escapes.
const maxIDBytes = 200

// string reads a string and returns what it stands for.
func (v *envelope) string(wanted string) ([]byte, *Error) {
	if v.peek() != '"' {
		return nil, v.wrongKind(wanted)
	}
	text, escaped, e := v.str()
	if e == nil && escaped {
		text = unescape(text)
	}
	return text, e
}

func (v *envelope) guid(to *event.GUID) *Error {
	start, wanted := v.at, typeText("Guid")
	text, e := v.string(wanted)
	if e != nil {
		return e
	}
	g, ok := parseGUID(text)
	if !ok {
		return refused(start, "a string that is not a Guid", wanted)
	}
	*to = g
	return nil
}

func (v *envelope) eventName() *Error {
	start := v.at
	if v.peek() != '"' {
		return v.wrongKind(v.eventNames())
	}
	text, e := v.string("")
	if e != nil {
		return e
	}
	t, ok := v.cat.Lookup(string(text))
	if !ok {
		wanted := v.eventNames()
		if near := closest(string(text), v.cat.Names()); near != "" {
			wanted += ", perhaps " + near
		}
		return refused(start, "a name that is not in the catalogue", wanted)
	}
	v.typ, v.event.Kind = t, t.Kind
	return nil
}

// eventNames describes the good names; only a refused envelope pays for it.
func (v *envelope) eventNames() string {
	return "one of the catalogue's " + strconv.Itoa(len(v.cat.Events)) + " event names"
}

func (v *envelope) id() *Error {
	const wanted = "a string of at most 200 bytes that can be printed"
	start := v.at
	text, e := v.string(wanted)
	switch {
	case e != nil:
		return e
	case len(text) > maxIDBytes:
		return refused(start, "a string of "+strconv.Itoa(len(text))+" bytes", wanted)
	case bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return refused(start, "a string with characters that cannot be printed", wanted)
	}
	v.event.ID = string(text)
	if v.event.Own() {
		return refused(start, "one that begins with "+event.OwnID+", as RTE's own do", "another")
	}
	return nil
}

func (v *envelope) time() *Error {
	const wanted = "a time in quotes, like 2026-11-22T08:00:00Z, with at most 9 digits after the seconds"
	start := v.at
	text, e := v.string(wanted)
	if e != nil {
		return e
	}
	t, ok := event.ParseDateTime(text)
	if !ok {
		return refused(start, "a string that is not such a time", wanted)
	}
	v.event.Time = t
	return nil
}

// isTraceparent reports whether the text is version-traceid-parentid-flags
// (W3C Trace Context, 3.2.2) as long as version 00 has it.
func isTraceparent(b []byte) bool {
	if len(b) != 55 || b[2] != '-' || b[35] != '-' || b[52] != '-' || string(b[:2]) == "ff" {
		return false
	}
	isHex := func(part []byte) (good, zero bool) {
		zero = true
		for _, c := range part {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false, false
			}
			zero = zero && c == '0'
		}
		return true, zero
	}
	version, _ := isHex(b[:2])
	trace, noTrace := isHex(b[3:35])
	parent, noParent := isHex(b[36:52])
	flags, _ := isHex(b[53:])
	return version && trace && !noTrace && parent && !noParent && flags
}
