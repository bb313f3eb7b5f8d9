package ingest

import (
	"bytes"

	"rte/internal/event"
)

// DefaultMaxEventBytes is the largest data of one event, in bytes of wire
// form (contract.md, --max-event-bytes).
const DefaultMaxEventBytes = 64 << 10

// The members of a publish envelope (contract.md), in lower case; places in
// envelopeNames.
const (
	inOrganization = iota
	inEntity
	inEvent
	inData
	inID
	inTime
	inPrevious
	inTrace
)

var envelopeNames = [...]string{
	inOrganization: "organizationid",
	inEntity:       "entityid",
	inEvent:        "eventname",
	inData:         "data",
	inID:           "id",
	inTime:         "time",
	inPrevious:     "previousassigneduserid",
	inTrace:        "traceparent",
}

var envelopePaths = [...]string{
	inOrganization: ".organizationId",
	inEntity:       ".entityId",
	inEvent:        ".eventName",
	inData:         ".data",
	inID:           ".id",
	inTime:         ".time",
	inPrevious:     ".previousAssignedUserId",
	inTrace:        ".traceparent",
}

// ReadEnvelope reads one publish envelope, the whole of text, into an event
// that shares no memory with text. maxEventBytes bounds the event's data; 0
// means [DefaultMaxEventBytes].
//
// Member names match ignoring ASCII case, unknown members are ignored, null
// for a member that may be missing is a missing member. The organization is
// required; the entity comes from the envelope or from the payload's entity
// field; where both name organization or entity they must agree. The
// event's Time is zero if the envelope has none.
//
// The error is an [*Error].
func ReadEnvelope(cat *event.Catalog, text []byte, maxEventBytes int) (*event.Event, error) {
	if maxEventBytes <= 0 {
		maxEventBytes = DefaultMaxEventBytes
	}
	r := envelopes{cat: cat, maxEventBytes: maxEventBytes}
	e, end, fault := r.read(text, 0)
	if fault == nil {
		fault = atEnd(text, end)
	}
	if fault != nil {
		return nil, fault
	}
	return e, nil
}

// envelopes reads one envelope after another. It is not safe for concurrent
// use.
type envelopes struct {
	cat           *event.Catalog
	maxEventBytes int
	drift         *Drift // nil: nobody counts
	wire          []byte // where data is written before it is known how long it is

	// Of the envelope read last, good or refused:
	typ   *event.Type // nil: it was refused before it named one
	notes notes       // of its payload
}

// read reads the envelope at offset at and returns where it ends.
func (r *envelopes) read(text []byte, at int) (*event.Event, int, *Error) {
	v := envelope{scanner: scanner{in: text, at: at, out: r.wire[:0], notes: notes{drift: r.drift}}, cat: r.cat}
	e := v.members()
	if e == nil {
		e = v.complete(at, r.maxEventBytes)
	}
	r.wire, r.typ, r.notes = v.out, v.typ, v.notes
	if e != nil {
		return nil, 0, e.rooted()
	}
	v.event.Data = bytes.Clone(v.out)
	ev := v.event
	return &ev, v.at, nil
}

// settle adds what was noted of the envelope read last to the drift report.
func (r *envelopes) settle(org event.GUID) {
	if r.typ != nil {
		r.notes.settle(r.typ, org)
	}
}

// An envelope is one that is being read; its out is the data in wire form.
type envelope struct {
	scanner

	cat   *event.Catalog
	event event.Event
	had   [len(envelopeNames)]bool // had and not null

	typ   *event.Type
	found Found
	later int // where data begins, if it came before the event's name
}

// members reads the object.
func (v *envelope) members() *Error {
	v.space()
	if v.peek() != '{' {
		return v.wrongKind("an object with organizationId, eventName and data")
	}
	v.at++
	v.space()
	if v.peek() == '}' {
		v.at++
		return nil
	}
	var twice [len(envelopeNames)]bool
	for {
		if v.peek() != '"' {
			return v.unexpected("a member name in quotes")
		}
		start := v.at
		name, escaped, e := v.str()
		if e != nil {
			return e
		}
		if escaped {
			name = unescape(name)
		}
		if e := v.colon(); e != nil {
			return e
		}
		m := envelopeMember(name)
		switch {
		case m < 0:
			if e := v.value(0); e != nil {
				return e.under(pathStep(name))
			}
		case twice[m]:
			return refused(start, "the member a second time", "each member once").under(envelopePaths[m])
		default:
			twice[m] = true
			if e := v.member(m); e != nil {
				if m != inData {
					e.Kind = kindNone
				}
				return e.under(envelopePaths[m])
			}
		}
		if more, e := v.next('}'); !more {
			return e
		}
	}
}

// envelopeMember is the place of a name in envelopeNames, or -1.
func envelopeMember(name []byte) int {
	for m, lower := range envelopeNames {
		if sameName(name, lower) {
			return m
		}
	}
	return -1
}

// member reads the value of the envelope's member m.
func (v *envelope) member(m int) *Error {
	if v.peek() == 'n' && m != inOrganization && m != inEvent && m != inData {
		return v.word("null")
	}
	v.had[m] = true
	switch m {
	case inOrganization:
		return v.guid(&v.event.Org)
	case inEntity:
		return v.guid(&v.event.Entity)
	case inPrevious:
		return v.guid(&v.event.PreviousAssignedUser)
	case inEvent:
		return v.eventName()
	case inID:
		return v.id()
	case inTime:
		return v.time()
	case inTrace:
		text, e := v.string("a W3C trace context in quotes")
		if e == nil && isTraceparent(text) {
			v.event.Traceparent = string(text)
		}
		return e
	}
	if v.typ == nil {
		v.later = v.at
		return v.value(0)
	}
	return v.data()
}

// data checks and writes the payload that begins here.
func (v *envelope) data() *Error {
	v.writing, v.from = true, v.at
	e := v.check(v.typ, &v.found)
	if e == nil {
		v.flush(v.at)
	}
	v.writing = false
	return e
}
