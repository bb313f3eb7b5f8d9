package bus

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// Headers of a stored message: the first is JetStream's, the last the W3C's.
const (
	headerMsgID       = "Nats-Msg-Id"
	headerTime        = "Rte-Time"              // seconds.nanoseconds since 1970, UTC
	headerID          = "Rte-Id"                // the producer's id, percent-encoded
	headerPrevious    = "Rte-Previous-Assignee" // a Guid
	headerCause       = "Rte-Cause"             // the cursor of what an event follows from
	headerTraceparent = "traceparent"           // percent-encoded, though a good one needs none
)

// Headers that JetStream adds when it republishes a message or answers a
// direct get.
const (
	headerStream   = "Nats-Stream"
	headerSequence = "Nats-Sequence"
	headerLast     = "Nats-Last-Sequence"
	headerStamp    = "Nats-Time-Stamp"
)

// Further ones in the answers to direct gets.
const (
	headerSubject = "Nats-Subject"
	headerPending = "Nats-Num-Pending"   // how many are behind this one
	headerUpTo    = "Nats-UpTo-Sequence" // where the answering replica was
)

// headerExpectedStream makes JetStream refuse a message for another stream.
const headerExpectedStream = "Nats-Expected-Stream"

// messageID is what the duplicate window compares. With a producer's id it is
// the same on every attempt of every node; the organization is part of it, so
// that tenants cannot meet in one window. Without, it is fresh.
func messageID(org event.GUID, id string) string {
	var raw [16]byte
	if id == "" {
		binary.BigEndian.PutUint64(raw[:], rand.Uint64())
		binary.BigEndian.PutUint64(raw[8:], rand.Uint64())
	} else {
		var buf [128]byte
		sum := sha256.Sum256(append(append(buf[:0], org[:]...), id...))
		copy(raw[:], sum[:])
	}
	var text [22]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], raw[:]))
}

// setHeaders writes an event's headers over those of the message before: the
// map is used again, so that a publish does not allocate it. NATS trims values
// and forbids line breaks in them, so text from outside is percent-encoded.
func setHeaders(h nats.Header, e *event.Event, msgID string) {
	previous := ""
	if !e.PreviousAssignedUser.IsZero() {
		previous = e.PreviousAssignedUser.String()
	}
	setHeader(h, headerMsgID, msgID)
	setHeader(h, headerTime, formatTime(e.Time))
	setHeader(h, headerID, url.PathEscape(e.ID))
	setHeader(h, headerTraceparent, url.PathEscape(e.Traceparent))
	setHeader(h, headerPrevious, previous)
	setHeader(h, headerCause, e.Cause)
}

func setHeader(h nats.Header, key, value string) {
	switch v := h[key]; {
	case value == "":
		delete(h, key)
	case len(v) == 1:
		v[0] = value
	default:
		h[key] = []string{value}
	}
}

// A stored is a message of the store, read back.
type stored struct {
	event    *event.Event
	sequence uint64
	// last is the sequence of the message before this one on the same
	// subject, 0 if there is none any more: what finds a hole in the live
	// lane. Only live messages of external servers have it.
	last uint64
	// gap tells that events before this one may have been left out of its
	// feed. Only feeds have it.
	gap bool
}

var errMessage = errors.New("malformed message in the store")

// readMessage makes the event of a stored message. The event shares the
// message's memory, which nobody else writes.
func readMessage(s *stream, t event.Topic, m *nats.Msg) (stored, error) {
	sequence, err := strconv.ParseUint(header(m, headerSequence), 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("%w: sequence", errMessage)
	}
	r := stored{event: &event.Event{Topic: t, Data: m.Data}, sequence: sequence}
	r.last, _ = strconv.ParseUint(header(m, headerLast), 10, 64)
	e := r.event
	e.Cursor, e.Sequence = s.cursor(sequence), sequence
	if e.Stored, err = time.Parse(time.RFC3339Nano, header(m, headerStamp)); err != nil {
		return stored{}, fmt.Errorf("%w: stamp", errMessage)
	}
	if e.Time, err = messageTime(m, e.Stored); err != nil {
		return stored{}, err
	}
	if e.ID, err = url.PathUnescape(header(m, headerID)); err != nil {
		return stored{}, fmt.Errorf("%w: id", errMessage)
	}
	if e.Traceparent, err = url.PathUnescape(header(m, headerTraceparent)); err != nil {
		return stored{}, fmt.Errorf("%w: traceparent", errMessage)
	}
	e.Cause = header(m, headerCause)
	if p := header(m, headerPrevious); p != "" {
		if e.PreviousAssignedUser, err = event.ParseGUID(p); err != nil {
			return stored{}, fmt.Errorf("%w: previous assignee", errMessage)
		}
	}
	return r, nil
}

// header is the first value of a header, as it is spelled here.
func header(m *nats.Msg, key string) string {
	if v := m.Header[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// messageTime is the time the message carries. One that carries none was
// stored by another program: then it is JetStream's, cut as [stampTime] cuts.
func messageTime(m *nats.Msg, stored time.Time) (time.Time, error) {
	if text := header(m, headerTime); text != "" {
		return parseTime(text)
	}
	return stampTime(stored), nil
}

// stampTime is the form of a time that RTE itself gives: UTC, in the whole
// milliseconds clients see, so that what they compare is what is kept.
func stampTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// formatTime and parseTime keep every time.Time exactly; RFC 3339 would end
// in the year 9999, and an offset can push a time of 9999 past that.
func formatTime(t time.Time) string {
	var buf [32]byte
	b := strconv.AppendInt(buf[:0], t.Unix(), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(t.Nanosecond()), 10)
	return string(b)
}

func parseTime(s string) (time.Time, error) {
	sec, nsec, ok := strings.Cut(s, ".")
	seconds, err1 := strconv.ParseInt(sec, 10, 64)
	nanos, err2 := strconv.ParseUint(nsec, 10, 32)
	if !ok || err1 != nil || err2 != nil || nanos > 999_999_999 {
		return time.Time{}, fmt.Errorf("%w: time", errMessage)
	}
	return time.Unix(seconds, int64(nanos)).UTC(), nil
}
