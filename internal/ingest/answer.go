package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// retryAfter is the Retry-After of a 429 and a 503 that say nothing better: the
// bus has already waited out the change of a leader when it says that it is not
// available, and the gate has had patience.
const retryAfter = 2 * time.Second

// An answer is the body of the response to a request that was read
// (contract.md).
type answer struct {
	Error    string      `json:"error,omitempty"`
	Accepted int         `json:"accepted"` // events stored, all of them
	Rejected []rejection `json:"rejected"` // by index
	Cursor   string      `json:"cursor"`   // of the last accepted item, or ""
	// Next is the first item that is neither stored nor rejected.
	Next *int `json:"next,omitempty"`
	// Stored are items behind Next that were stored all the same when the
	// store failed for only some of a batch.
	Stored []int `json:"stored,omitempty"`
	// Where the body stopped being readable: bytes from its start, lines
	// and bytes of a line from 1, all after decompression.
	Offset *int64 `json:"offset,omitempty"`
	Line   int64  `json:"line,omitempty"`
	Column int64  `json:"column,omitempty"`

	status  int
	after   time.Duration // of Retry-After; 0 is retryAfter
	foreign int           // rejections for an organization that is not the publisher's
}

// A rejection is the verdict on one item that was refused.
type rejection struct {
	Index int    `json:"index"`
	Path  string `json:"path,omitempty"`
	Error string `json:"error"`
}

// settle gives an answer without a fault its status and puts the rejections
// in order: the store's come later than the check's.
func (a *answer) settle() {
	slices.SortFunc(a.Rejected, func(x, y rejection) int { return x.Index - y.Index })
	switch {
	case a.status != 0:
	case a.Accepted == 0 && a.foreign > 0 && a.foreign == len(a.Rejected):
		a.status = http.StatusForbidden
		a.Error = "this token may not publish for the organization that the events name"
	default:
		a.status = http.StatusOK
	}
	if a.Rejected == nil {
		a.Rejected = []rejection{}
	}
}

// retryAfter is the header, in whole seconds.
func (a *answer) retryAfter() string {
	after := a.after
	if after == 0 {
		after = retryAfter
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// write sends the answer to a request whose body was read.
func (h *HTTP) write(w http.ResponseWriter, r *http.Request, a *answer) {
	a.settle()
	h.accepted.Add(uint64(a.Accepted))
	h.rejected.Add(uint64(len(a.Rejected)))
	if a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", a.retryAfter())
	}
	switch {
	case a.status != http.StatusOK:
		h.logRefused(r, a.status, a.Error)
	case len(a.Rejected) > 0:
		first := a.Rejected[0]
		h.log.WarnContext(r.Context(), "events rejected",
			"reason", fmt.Sprintf("%d items, the first: %s %s", len(a.Rejected), first.Path, first.Error))
	}
	writeJSON(w, a.status, a)
}

// refuse answers a request of which nothing was stored.
func (h *HTTP) refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	h.logRefused(r, status, text)
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{text})
}

// logRefused counts and logs an answer that is not 200.
func (h *HTTP) logRefused(r *http.Request, status int, text string) {
	switch status {
	case http.StatusBadRequest:
		h.unreadable.Add(1)
	case http.StatusForbidden:
		h.forbidden.Add(1)
	case http.StatusRequestEntityTooLarge:
		h.tooLarge.Add(1)
	case http.StatusTooManyRequests:
		h.tooMany.Add(1)
	case http.StatusServiceUnavailable:
		h.unavailable.Add(1)
	}
	h.log.InfoContext(r.Context(), "publish refused", "reason", text)
}

// encode is an answer as JSON, with a line end behind it.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("ingest: encode an answer: " + err.Error())
	}
	return b.Bytes()
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(v)) // a client that has gone gets no answer
}
