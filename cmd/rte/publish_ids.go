package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// idsKept is how many different lines are remembered to tell repeated ones
// apart; more would make the memory of a run that lasts for days grow without
// end (a million take about 50 MB).
const idsKept = 1 << 20

// lineIDs give lines without an id one that is made of the line: the same for
// the same line in every run over the same input, and another when a line is
// there twice. After each idsKept lines they begin to count anew, with the
// round in the id.
type lineIDs struct {
	kept  int
	round int
	seen  map[[16]byte]int // how often a line has come in this round
}

func newLineIDs() *lineIDs { return &lineIDs{kept: idsKept, seen: map[[16]byte]int{}} }

var (
	errNoJSON   = errors.New("found text that is not JSON, wanted an event as one JSON object a line")
	errNoUTF8   = errors.New("found bytes that are not UTF-8, wanted JSON in UTF-8")
	errNoObject = errors.New("found another JSON value, wanted an event as one JSON object a line")
)

// add returns the line with an id; it may be text itself. Errors are for the
// user.
func (l *lineIDs) add(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errNoUTF8
	}
	var head struct{ ID json.RawMessage }
	if err := json.Unmarshal(text, &head); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, errNoObject
		}
		return nil, errNoJSON
	}
	if text[0] != '{' { // null
		return nil, errNoObject
	}
	switch string(head.ID) {
	case "":
	case "null", `""`: // is none, and there must not be two
		var err error
		if text, err = withoutID(text); err != nil {
			return nil, errNoJSON
		}
	default:
		return text, nil
	}
	out := append([]byte(`{"id":"`), l.id(text)...)
	out = append(out, '"')
	if rest := bytes.TrimSpace(text[1:]); rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, text[1:]...), nil
}

func (l *lineIDs) id(text []byte) string {
	sum := sha256.Sum256(text)
	key := [16]byte(sum[:])
	if len(l.seen) >= l.kept {
		l.round++
		clear(l.seen)
	}
	n := l.seen[key]
	l.seen[key] = n + 1
	id := fmt.Sprintf("%s-%d", hex.EncodeToString(key[:]), n)
	if l.round > 0 {
		id += fmt.Sprintf(".%d", l.round)
	}
	return id
}

// withoutID is an envelope without its members called id.
func withoutID(text []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	for name := range members {
		if strings.EqualFold(name, "id") {
			delete(members, name)
		}
	}
	return json.Marshal(members)
}
