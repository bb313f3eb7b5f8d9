package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"rte/internal/event"
)

// Headers of answers that are not 200: NATS's own for services (ADR-32), and
// HTTP's.
const (
	headerErrorCode  = "Nats-Service-Error-Code"
	headerError      = "Nats-Service-Error"
	headerRetryAfter = "Retry-After"
)

// answerStored answers a message whose event went to the store.
func (n *NATS) answerStored(m Message, e *event.Event, err error) {
	switch {
	case err == nil:
		n.accepted.Add(1)
		if m.Reply != nil {
			m.Reply(nil, appendAccepted(nil, e.Cursor))
		}
	case errors.Is(err, event.ErrUnavailable) || n.life.Err() != nil:
		n.refuse(m, http.StatusServiceUnavailable, 0, "the event store is not available; send the event again after Retry-After seconds")
	default:
		n.reject(m, "", "the store refused the event: "+err.Error())
	}
}

// answerRefusal answers a message that did not pass the check.
func (n *NATS) answerRefusal(m Message, refusal *Error) {
	if !refusal.Unreadable {
		n.reject(m, refusal.Path, refusal.Text())
		return
	}
	at := min(refusal.Offset, len(m.Data))
	line := 1 + int64(bytes.Count(m.Data[:at], []byte("\n")))
	column := int64(at - bytes.LastIndexByte(m.Data[:at], '\n'))
	offset := int64(at)
	n.unreadable.Add(1)
	n.say(m, answer{
		Error: fmt.Sprintf("the body is not readable at line %d, column %d (byte %d): %s", line, column, offset, refusal.Text()),
		Next:  new(int), Offset: &offset, Line: line, Column: column, status: http.StatusBadRequest,
	})
}

// reject answers with a verdict against the event.
func (n *NATS) reject(m Message, path, text string) {
	n.rejected.Add(1)
	n.say(m, answer{Rejected: []rejection{{0, path, text}}})
}

// refuse answers that there is no verdict on the event yet; after says when to
// try again, 0 as usual.
func (n *NATS) refuse(m Message, status int, after time.Duration, text string) {
	switch status {
	case http.StatusTooManyRequests:
		n.tooMany.Add(1)
	default:
		n.unavailable.Add(1)
	}
	n.say(m, answer{Error: text, Next: new(int), status: status, after: after})
}

// say sends an answer that is no simple yes, and logs it.
func (n *NATS) say(m Message, a answer) {
	a.settle()
	why := a.Error
	if len(a.Rejected) > 0 {
		why = a.Rejected[0].Path + " " + a.Rejected[0].Error
	}
	n.refusals.note(m.Subject, why)
	if m.Reply == nil {
		return
	}
	var header map[string][]string
	if a.status != http.StatusOK {
		header = map[string][]string{headerErrorCode: {strconv.Itoa(a.status)}, headerError: {a.Error}}
		if a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests {
			header[headerRetryAfter] = []string{a.retryAfter()}
		}
	}
	m.Reply(header, encode(a))
}

// appendAccepted is the answer to a message that was stored: it is made for
// every event. A cursor needs no escapes.
func appendAccepted(dst []byte, cursor string) []byte {
	dst = append(dst, `{"accepted":1,"rejected":[],"cursor":"`...)
	dst = append(dst, cursor...)
	return append(dst, `"}`...)
}

// A refusalLog writes a line about refused messages at most once a second:
// they come one by one, and may be many. It is safe for concurrent use.
type refusalLog struct {
	log *slog.Logger

	mu     sync.Mutex
	silent time.Time // until when
	count  int       // since the last line
}

// refusalPause is how long the log is silent after a line.
const refusalPause = time.Second

// note counts one refusal. Only what is a Guid and a name of a subject is
// shown: a part that is neither may be anything.
func (r *refusalLog) note(subject, why string) {
	r.mu.Lock()
	r.count++
	count, due := r.count, !time.Now().Before(r.silent)
	if due {
		r.silent, r.count = time.Now().Add(refusalPause), 0
	}
	r.mu.Unlock()
	if !due {
		return
	}
	var org event.GUID
	if parts, ok := splitSubject(subject); ok {
		org, _ = event.ParseGUID(parts[0])
	}
	r.log.LogAttrs(context.Background(), slog.LevelWarn, "events from the NATS door refused", slog.Any("org", org), slog.Int("count", count), slog.String("reason", why))
}
