package derive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"rte/internal/event"
)

// A Callback is what must be kept of a callback: its own record, by which the
// next owner goes on.
type Callback struct {
	Organization, List, ID event.GUID

	// Record is the text of [Rules.RestoreCallback]; nil: there is nothing to
	// be kept any more.
	Record []byte
}

// Parts of a record.
const (
	recordFormat = 1

	recordDue = 1 << iota
	recordExpiry
	recordNotBefore
	recordAssigned
	recordAttempt
	recordProducer // the producer sends UserCallbackChanged itself

	recordParts = recordDue | recordExpiry | recordNotBefore | recordAssigned | recordAttempt | recordProducer
)

// maxCursor is how long a cursor can be.
const maxCursor = 24

var errRecord = errors.New("malformed record of a callback")

// record is the callback as it is kept:
//
//	1      format
//	1      which of the parts behind the cursor there are
//	1..10  sequence of the event that said it, uvarint
//	1..10  when that came, µs since 1970, varint
//	1, n   length of its cursor, and the cursor
//	1..10  due date, expiry date, not before: µs since 1970, varint
//	16     assigned user
//	1..5   type of the last attempt, varint
//	1      how often the producer has missed its UserCallbackChanged
func (c *callback) record(o *organization) Callback {
	parts := byte(0)
	b := make([]byte, 2, 64)
	b = binary.AppendUvarint(b, c.sequence)
	b = binary.AppendVarint(b, int64(c.came))
	b = append(append(b, byte(len(c.cursor))), c.cursor...)
	for _, d := range [...]struct {
		part byte
		at   moment
	}{{recordDue, c.dueDate}, {recordExpiry, c.expiry}, {recordNotBefore, c.notBefore}} {
		if d.at != never {
			parts |= d.part
			b = binary.AppendVarint(b, int64(d.at))
		}
	}
	if !c.assigned.IsZero() {
		parts |= recordAssigned
		b = append(b, c.assigned[:]...)
	}
	if c.attempt.Valid {
		parts |= recordAttempt
		b = binary.AppendVarint(b, int64(c.attempt.Value))
	}
	if o.sends.on {
		parts |= recordProducer
		b = append(b, o.sends.missed)
	}
	b[0], b[1] = recordFormat, parts
	return Callback{o.id, c.list.id, c.id, b}
}

// forgotten says that nothing is to be kept of a callback.
func (c *callback) forgotten(o *organization) Callback {
	return Callback{Organization: o.id, List: c.list.id, ID: c.id}
}

// RestoreCallback takes back what was kept of a callback. Records may come in
// any order; of two of one callback the newer event's counts. An error means
// that the record is of another program, or damaged; nothing was taken.
func (r *Rules) RestoreCallback(kept Callback) error {
	c, producer, err := readRecord(kept.Record)
	if err != nil {
		return fmt.Errorf("restore callback %v: %w", kept.ID, err)
	}
	o := r.organization(kept.Organization)
	if is := o.callbacks[kept.ID]; is != nil {
		if is.sequence >= c.sequence {
			return nil
		}
		r.leave(is, is.cursor)
	}
	l := r.list(o, kept.List)
	if l == nil {
		return nil
	}
	if c.sequence > o.restored {
		o.restored, o.sends = c.sequence, producer
	}
	c.id, c.list = kept.ID, l
	l.callbacks++
	o.callbacks[c.id] = c
	r.count(c, c.cursor)
	r.queueUp(c)
	return nil
}

func readRecord(b []byte) (*callback, detected, error) {
	c := &callback{dueDate: never, expiry: never, notBefore: never}
	var producer detected
	if len(b) < 2 || b[0] != recordFormat || b[1]&^byte(recordParts) != 0 {
		return nil, producer, errRecord
	}
	p := reader{b: b[2:]}
	c.sequence = p.uvarint()
	c.came = p.moment()
	c.cursor = string(p.take(min(int(p.byte()), maxCursor+1)))
	for _, d := range [...]struct {
		part byte
		at   *moment
	}{{recordDue, &c.dueDate}, {recordExpiry, &c.expiry}, {recordNotBefore, &c.notBefore}} {
		if b[1]&d.part != 0 {
			*d.at = p.moment()
		}
	}
	if b[1]&recordAssigned != 0 {
		copy(c.assigned[:], p.take(len(c.assigned)))
	}
	if b[1]&recordAttempt != 0 {
		c.attempt = event.Some(int32(p.varint()))
	}
	if b[1]&recordProducer != 0 {
		producer = detected{true, p.byte()}
	}
	if p.bad || len(p.b) > 0 || len(c.cursor) > maxCursor || strings.ContainsFunc(c.cursor, notInCursor) {
		return nil, detected{}, errRecord
	}
	return c, producer, nil
}

// notInCursor tells what no cursor has: cursors are URL-safe.
func notInCursor(c rune) bool {
	return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// A reader takes values off the front of a record.
type reader struct {
	b   []byte
	bad bool
}

func (p *reader) take(n int) []byte {
	if n > len(p.b) {
		p.bad = true
		return nil
	}
	taken := p.b[:n]
	p.b = p.b[n:]
	return taken
}

func (p *reader) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *reader) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	p.bad = p.bad || n <= 0
	p.take(max(n, 0))
	return v
}

func (p *reader) varint() int64 {
	v, n := binary.Varint(p.b)
	p.bad = p.bad || n <= 0
	p.take(max(n, 0))
	return v
}

// moment reads one of the years that a date can have.
func (p *reader) moment() moment {
	m := moment(p.varint())
	p.bad = p.bad || m <= -never/2 || m >= never/2
	return m
}
