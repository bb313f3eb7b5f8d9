package auth

import (
	"encoding/json"
	"strings"

	"rte/internal/event"
)

// guid reads a JSON text that holds a Guid in any spelling.
func guid(raw string) (event.GUID, bool) {
	s, ok := str(raw)
	if !ok {
		return event.GUID{}, false
	}
	id, err := event.ParseGUID(s)
	return id, err == nil
}

// str reads a JSON string; ok is false for any other value and for none.
func str(raw string) (s string, ok bool) {
	if !strings.HasPrefix(raw, `"`) {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	return unescape(raw)
}

// unescape is apart because what it takes the address of is on the heap.
func unescape(raw string) (s string, ok bool) {
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil
}

// eachMember calls f with the name and the value's text of each member of a
// JSON text that encoding/json has found valid, until f returns false. It is
// false if the text is not an object, or f has said so.
//
// It stands in for a map of everything: with that, the whole check of a token
// takes about twice as long (BenchmarkVerify, golang-jwt-map).
func eachMember(object string, f func(name, value string) bool) bool {
	at := skipSpace(object, 0)
	if object[at] != '{' {
		return false
	}
	for {
		at = skipSpace(object, at+1)
		if object[at] == '}' { // only in {}: valid JSON has no comma before it
			return true
		}
		end := skipValue(object, at)
		name, _ := str(object[at:end])
		at = skipSpace(object, end)  // the colon
		at = skipSpace(object, at+1) // the value
		end = skipValue(object, at)  // behind it
		if !f(name, object[at:end]) {
			return false
		}
		at = skipSpace(object, end)
		if object[at] == '}' {
			return true
		}
	}
}

// members finds the members with the given names, matched exactly, and puts
// their values' texts at the same places of values; null counts as not there.
// It is false if the text is not an object or has one of the names twice:
// readers that disagree on which of two counts would see two different
// principals (RFC 7519, 4).
func members(object string, names, values []string) bool {
	var seen uint32
	return eachMember(object, func(name, value string) bool {
		for i, want := range names {
			if want != name {
				continue
			}
			if seen&(1<<i) != 0 {
				return false
			}
			seen |= 1 << i
			if value != "null" {
				values[i] = value
			}
		}
		return true
	})
}

// elements calls f with the text of each element of a valid JSON array.
func elements(array string, f func(raw string)) {
	at := 0
	for {
		at = skipSpace(array, at+1)
		if array[at] == ']' { // only in []
			return
		}
		end := skipValue(array, at)
		f(array[at:end])
		at = skipSpace(array, end)
		if array[at] == ']' {
			return
		}
	}
}

// skipSpace is the place of the first byte from at on that is not white space.
func skipSpace(s string, at int) int {
	for s[at] == ' ' || s[at] == '\t' || s[at] == '\n' || s[at] == '\r' {
		at++
	}
	return at
}

// skipValue is the place behind the JSON value that begins at at.
func skipValue(s string, at int) int {
	depth := 0
	for ; at < len(s); at++ {
		switch s[at] {
		case '"':
			for at++; s[at] != '"'; at++ {
				if s[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what holds a number or a word
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// each calls f for the elements of an array, or for the one value that is no
// array.
func each(raw string, f func(raw string)) {
	if strings.HasPrefix(raw, "[") {
		elements(raw, f)
	} else {
		f(raw)
	}
}
