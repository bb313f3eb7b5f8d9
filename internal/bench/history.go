package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Kind says what a [Record] tells.
type Kind string

// The kinds of records.
const (
	PairNamed   Kind = "pair"   // Pair is Entity and Event; State tells which rules hold
	Subscribed  Kind = "hears"  // Client hears Pair from its first event on
	Sent        Kind = "sent"   // event N of Pair is on its way to the node
	Accepted    Kind = "stored" // the node has accepted all events of Pair up to N
	Heard       Kind = "heard"  // event N of Pair came to Client
	Unrecovered Kind = "told"   // Client was told that events of Pair may be missing
	Connected   Kind = "up"     // Client has a connection
	Lost        Kind = "down"   // Client has lost it
	Noise       Kind = "noise"  // Client was pushed what nobody has sent
)

// A Record is one line of a history. Members that a kind does not need are
// left out.
type Record struct {
	At     time.Duration `json:"at"` // since the beginning, in nanoseconds
	Kind   Kind          `json:"kind"`
	Client int           `json:"client,omitempty"` // from 0
	Pair   int           `json:"pair,omitempty"`   // from 0
	N      uint64        `json:"n,omitempty"`      // number of an event of its pair, from 1
	State  bool          `json:"state,omitempty"`
	Entity string        `json:"entity,omitempty"`
	Event  string        `json:"event,omitempty"`
	Text   string        `json:"text,omitempty"` // why a connection was lost, or what came
}

// maxRecord bounds a line of a history, in bytes.
const maxRecord = 1 << 20

// Replay judges a history that was written by Verify. An error means that it
// cannot be read.
func Replay(r io.Reader) (Verdict, error) {
	j := NewJudge()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRecord)
	n := 0
	for lines.Scan() {
		n++
		var rec Record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return Verdict{}, fmt.Errorf("line %d of the history: %w", n, err)
		}
		if err := j.Take(rec); err != nil {
			return Verdict{}, fmt.Errorf("line %d of the history: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Verdict{}, fmt.Errorf("line %d of the history: %w", n+1, err)
	}
	if n == 0 {
		return Verdict{}, errors.New("the history is empty")
	}
	return j.Verdict(), nil
}
