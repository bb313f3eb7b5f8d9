package ingest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"rte/internal/event"
)

// A natsLane checks and stores the messages of some pairs: a batch at a time,
// so that each pair's order is kept. The next messages gather meanwhile.
type natsLane struct {
	door *NATS
	wake chan struct{} // a token: there is something to do

	mu      sync.Mutex
	closed  bool
	waiting []waiting // what has gathered; bounded by the door's gate

	// Owned by the lane's goroutine.
	envelopes envelopes
	head      []byte    // of the envelope being read
	batch     []waiting // being worked on
	checked   []waiting // of batch, what has gone into events
	events    []*event.Event
}

// A waiting message holds its part of the gate.
type waiting struct {
	Message
	org  event.GUID
	size int64
}

// add puts a message behind the others; false if the lane is closed.
func (l *natsLane) add(w waiting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting = append(l.waiting, w)
	l.nudge()
	return true
}

// close lets nothing more in.
func (l *natsLane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.nudge()
}

func (l *natsLane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run works until the lane is closed and empty.
func (l *natsLane) run() {
	for range l.wake {
		for l.take() {
			l.work()
		}
		l.mu.Lock()
		end := l.closed && len(l.waiting) == 0
		l.mu.Unlock()
		if end {
			return
		}
	}
}

// take moves the next messages into batch; false if there are none.
func (l *natsLane) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, n := 0, 0
	for n < len(l.waiting) && n < batchSize && size < batchBytes && l.waiting[n].Context == l.waiting[0].Context {
		size += len(l.waiting[n].Data)
		n++
	}
	l.batch = append(l.batch[:0], l.waiting[:n]...)
	rest := copy(l.waiting, l.waiting[n:])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
	if rest == 0 && cap(l.waiting) > 2*batchSize {
		l.waiting = nil // a burst's memory goes with it
	}
	return n > 0
}

// work checks and stores a batch, and answers.
func (l *natsLane) work() {
	for _, w := range l.batch {
		if w.late() {
			l.door.refuse(w.Message, http.StatusServiceUnavailable, 0, "another node takes the events now; send the event again after Retry-After seconds")
			l.leave(w)
			continue
		}
		e, refusal := l.read(w.Message)
		if refusal != nil {
			l.door.answerRefusal(w.Message, refusal)
			l.leave(w)
			continue
		}
		l.events, l.checked = append(l.events, e), append(l.checked, w)
	}
	if len(l.events) > 0 {
		errs := l.store(l.checked[0].Context)
		if errs != nil && len(errs) != len(l.events) {
			panic(fmt.Sprintf("ingest: the store gave %d verdicts on %d events", len(errs), len(l.events)))
		}
		for i, w := range l.checked {
			var err error
			if errs != nil {
				err = errs[i]
			}
			l.door.answerStored(w.Message, l.events[i], err)
			l.leave(w)
		}
	}
	clear(l.batch)
	clear(l.checked)
	clear(l.events)
	l.batch, l.checked, l.events = l.batch[:0], l.checked[:0], l.events[:0]
}

// store stores the batch's events until the door's time is over, or that of
// the messages.
func (l *natsLane) store(messages context.Context) []error {
	ctx := l.door.life
	if messages != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(messages, cancel)()
	}
	return l.door.store(ctx, l.events)
}

// leave ends a message's stay.
func (l *natsLane) leave(w waiting) {
	l.door.gate.leave(w.org, w.size)
	w.done()
}

// read makes an event of a message. If the data is no JSON, the error is
// unreadable.
func (l *natsLane) read(m Message) (*event.Event, *Error) {
	parts, ok := splitSubject(m.Subject)
	if !ok {
		return nil, refused(0, "another subject", subjectForm).rooted()
	}
	if most := 2*l.door.maxEvent + 8<<10; len(m.Data) > most { // not worth reading
		return nil, refused(0, strconv.Itoa(len(m.Data))+" bytes", "at most "+strconv.Itoa(l.door.maxEvent)+
			" (--max-event-bytes)").under(envelopePaths[inData]).rooted()
	}
	l.head = appendHead(l.head[:0], parts, m.Header)
	e, refusal := l.envelopes.readParts(l.head, m.Data)
	switch {
	case refusal == nil:
		l.envelopes.settle(e.Org)
	case refusal.Kind != kindNone:
		org, _ := event.ParseGUID(parts[0])
		l.envelopes.settle(org)
	}
	return e, refusal
}

// appendHead writes the envelope of a message, without data, as JSON: so it is
// judged by the same rules, in the same words.
func appendHead(dst []byte, parts [3]string, header map[string][]string) []byte {
	dst = appendMember(dst, '{', "organizationId", parts[0])
	dst = appendMember(dst, ',', "eventName", parts[1])
	dst = appendMember(dst, ',', "entityId", parts[2])
	for name, values := range header {
		member := headerMember(name)
		if member == "" {
			continue
		}
		for _, v := range values {
			dst = appendMember(dst, ',', member, v)
		}
	}
	return append(dst, '}')
}

func appendMember(dst []byte, before byte, name, value string) []byte {
	dst = append(dst, before, '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':', '"')
	dst = appendEscaped(dst, []byte(value))
	return append(dst, '"')
}

// headerMember is the envelope's member that a header stands for, "" if none.
func headerMember(name string) string {
	switch {
	case sameName([]byte(name), "nats-msg-id"):
		return "id"
	case sameName([]byte(name), envelopeNames[inTime]):
		return "time"
	case sameName([]byte(name), envelopeNames[inTrace]):
		return "traceparent"
	case sameName([]byte(name), envelopeNames[inPrevious]):
		return "previousAssignedUserId"
	}
	return ""
}

// readParts reads an envelope that came in two parts: head is the object
// without data, body is data. It must be settled like one that was read.
func (r *envelopes) readParts(head, body []byte) (*event.Event, *Error) {
	v := envelope{scanner: scanner{in: head, out: r.wire[:0], notes: notes{drift: r.drift}}, cat: r.cat}
	e := v.members()
	if e != nil {
		e.Unreadable = false // text that is no UTF-8, in a header
		e.Allowed = strings.Replace(e.Allowed, " in quotes", "", 1)
	} else {
		e = v.body(body, r.maxEventBytes)
	}
	r.wire, r.typ, r.notes = v.out, v.typ, v.notes
	if e == nil {
		v.event.Data = bytes.Clone(v.out)
		ev := v.event
		return &ev, nil
	}
	end, fault := wellFormed(body, 0)
	if fault == nil {
		fault = atEnd(body, end)
	}
	if fault != nil {
		return nil, fault
	}
	return nil, e.rooted()
}

// body reads data where the members before it are already read.
func (v *envelope) body(text []byte, maxEventBytes int) *Error {
	v.in, v.at, v.had[inData] = text, 0, true
	v.space()
	e := v.data()
	if e == nil {
		e = v.end()
	}
	if e != nil {
		return e.under(envelopePaths[inData])
	}
	return v.complete(0, maxEventBytes)
}
