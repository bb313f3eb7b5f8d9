package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// An ack is the store's answer to one publish.
type ack struct {
	sequence  uint64
	duplicate bool
	err       error // refused; wraps event.ErrUnavailable if a later try may go in
}

// The parts of JetStream's plain answers around their figures.
const (
	ackHead      = `{"stream":"`
	ackSequence  = `","seq":`
	ackDuplicate = `,"duplicate": true}`
)

// readAck reads JetStream's answer. The two usual forms are read by hand:
// this runs for every event.
func readAck(m *nats.Msg) ack {
	if len(m.Data) == 0 && header(m, "Status") == "503" {
		return ack{err: fmt.Errorf("%w: %w", event.ErrUnavailable, nats.ErrNoResponders)}
	}
	if a, ok := readPlainAck(m.Data); ok {
		return a
	}
	var answer struct {
		Seq       uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return ack{err: fmt.Errorf("%w: unreadable answer of the store", event.ErrUnavailable)}
	}
	if e := answer.Error; e != nil {
		err := fmt.Errorf("store: %s (%d)", e.Description, e.ErrCode)
		if passing(e.Code) || e.ErrCode == codeInProcess {
			err = fmt.Errorf("%w: %w", event.ErrUnavailable, err)
		}
		return ack{err: err}
	}
	if answer.Seq == 0 {
		return ack{err: fmt.Errorf("%w: answer of the store without a position", event.ErrUnavailable)}
	}
	return ack{sequence: answer.Seq, duplicate: answer.Duplicate}
}

// codeInProcess: the leader has taken the same id and not yet agreed with the
// others about it (409). The next attempt finds out how that ended.
const codeInProcess = 10158

// passing tells whether a refusal of JetStream, by its code of HTTP's kind,
// may be none at the next try.
func passing(code int) bool {
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
}

// readPlainAck reads {"stream":"NAME","seq":N} with or without
// ,"duplicate": true; false for everything else.
func readPlainAck(b []byte) (ack, bool) {
	rest, ok := cutPrefix(b, ackHead)
	if !ok {
		return ack{}, false
	}
	i := bytes.IndexByte(rest, '"')
	if i < 0 || bytes.ContainsFunc(rest[:i], notPlain) {
		return ack{}, false
	}
	if rest, ok = cutPrefix(rest[i:], ackSequence); !ok || len(rest) == 0 || rest[0] == '0' {
		return ack{}, false
	}
	var a ack
	i = 0
	for ; i < len(rest) && i < 19 && '0' <= rest[i] && rest[i] <= '9'; i++ {
		a.sequence = a.sequence*10 + uint64(rest[i]-'0')
	}
	a.duplicate = string(rest[i:]) == ackDuplicate
	return a, a.sequence != 0 && (a.duplicate || string(rest[i:]) == "}")
}

// cutPrefix is bytes.CutPrefix for a constant.
func cutPrefix(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// notPlain: a letter that no stream of ours has in its name.
func notPlain(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') }

// sendError judges an error of the client before anything left the process.
func sendError(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadHeaderMsg) || errors.Is(err, nats.ErrBadSubject) {
		return err
	}
	return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
}
