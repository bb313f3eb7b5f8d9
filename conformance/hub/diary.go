package main

import (
	"encoding/json"
	"io"
	"sync"
)

// A diary tells the tests what happens on the server's side. Safe for
// concurrent use.
type diary struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newDiary(w io.Writer) *diary { return &diary{out: json.NewEncoder(w)} }

// An entry is one line of the diary.
type entry struct {
	Site   string `json:"site"`
	ID     string `json:"id"`   // of the connection
	What   string `json:"what"` // connected, disconnected, or the name of a method that has ended
	Reason string `json:"reason,omitempty"`
	Error  string `json:"error,omitempty"`
}

// write adds a line. Whoever reads is a test that notices when lines are
// missing.
func (d *diary) write(line any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.Encode(line) //nolint:errcheck // as said above
}

// text is an error's text, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
