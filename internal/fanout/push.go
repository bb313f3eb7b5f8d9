package fanout

import (
	"bytes"
	"encoding/json"
	"time"

	"rte/internal/event"
	"rte/signalr"
)

// A push is the argument of MessageReceived:
//
//	{"subscription":{"entityId":"…","eventName":"…"},"data":{…},"cursor":"…","time":"…","cause":"…"}
//
// The pair is the one that Subscribe answered, so that a client can use it as
// a key (I03, I05 of the catalogue). Clients in the field ignore the last three
// members; cause is there if the event follows from another.
//
// In MessagePack the members have the names of the platform's own classes
// (Subscription, EntityId, …, payload members as the page writes them), which
// is what ASP.NET Core's resolver makes, or with Options.CamelMessagePack the
// names of JSON. Dates are timestamps there.
type push struct {
	event *event.Event
	typ   *event.Type
	name  string
	plain bool
	camel bool // names in MessagePack
}

// PairOf is what a frame is a push about; false if it is no push.
func PairOf(f *signalr.Frame) (event.Pair, bool) {
	m, ok := f.Message().(*signalr.Invocation)
	if !ok || len(m.Arguments) != 1 {
		return event.Pair{}, false
	}
	p, ok := m.Arguments[0].(*push)
	if !ok {
		return event.Pair{}, false
	}
	return p.event.Pair, true
}

// AppendJSON writes the push (signalr.Value).
func (p *push) AppendJSON(dst []byte) ([]byte, error) {
	e := p.event
	dst = append(dst, `{"subscription":{"entityId":"`...)
	dst = e.Entity.AppendText(dst)
	dst = append(dst, `","eventName":"`...)
	dst = append(dst, p.name...)
	dst = append(dst, `"},"data":`...)
	dst = append(dst, e.Data...)
	if !p.plain {
		dst = append(dst, `,"cursor":"`...)
		dst = append(dst, e.Cursor...)
		dst = append(dst, `","time":"`...)
		dst = appendTime(dst, e.Time)
		dst = append(dst, '"')
		if e.Cause != "" {
			dst = append(append(append(dst, `,"cause":"`...), e.Cause...), '"')
		}
	}
	return append(dst, '}'), nil
}

// AppendPush appends what a subscriber is pushed for an event, in JSON and with
// all members, to dst; cursor takes the place of the event's own.
func (x *Index) AppendPush(dst []byte, e *event.Event, cursor string) []byte {
	as := *e
	as.Cursor = cursor
	dst, _ = (&push{event: &as, name: x.names[e.Kind]}).AppendJSON(dst) // it never fails
	return dst
}

// appendTime writes RTE's own dates: UTC, milliseconds, always with Z.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

// AppendMessagePack writes the push (signalr.Value).
func (p *push) AppendMessagePack(dst []byte) ([]byte, error) {
	e := p.event
	members := 4
	switch {
	case p.plain:
		members = 2
	case e.Cause != "":
		members = 5
	}
	dst = signalr.AppendPackedMap(dst, members)
	dst = signalr.AppendPackedMap(p.member(dst, "Subscription"), 2)
	dst = signalr.AppendPackedText(p.member(dst, "EntityId"), e.Entity.String())
	dst = signalr.AppendPackedText(p.member(dst, "EventName"), p.name)
	dst, err := p.object(p.member(dst, "Data"), p.typ, e.Data)
	if err != nil || p.plain {
		return dst, err
	}
	dst = signalr.AppendPackedText(p.member(dst, "Cursor"), e.Cursor)
	dst = signalr.AppendPackedTime(p.member(dst, "Time"), e.Time.Truncate(time.Millisecond))
	if e.Cause != "" {
		dst = signalr.AppendPackedText(p.member(dst, "Cause"), e.Cause)
	}
	return dst, nil
}

func (p *push) member(dst []byte, name string) []byte {
	if p.camel {
		name = event.CamelCase(name)
	}
	return signalr.AppendPackedText(dst, name)
}

// object writes a payload, or a helper object in it, by its type. Members
// that the catalogue does not know keep name and value.
func (p *push) object(dst []byte, typ *event.Type, text []byte) ([]byte, error) {
	return signalr.AppendRepackedObject(dst, text, func(dst, name, value []byte) ([]byte, error) {
		f, known := typ.Field(string(name))
		if !known {
			return signalr.AppendRepacked(signalr.AppendPackedText(dst, string(name)), value)
		}
		dst = p.member(dst, f.Name)
		switch {
		case f.List && value[0] == '[':
			return signalr.AppendRepackedArray(dst, value, func(dst, item []byte) ([]byte, error) {
				if item[0] != '{' {
					return signalr.AppendRepacked(dst, item)
				}
				return p.object(dst, f.Helper, item)
			})
		case f.Type == "DateTime" && value[0] == '"':
			if t, ok := readDate(value); ok {
				return signalr.AppendPackedTime(dst, t), nil
			}
		}
		return signalr.AppendRepacked(dst, value)
	})
}

// readDate reads a date in quotes, in every form that the doors let in.
func readDate(quoted []byte) (time.Time, bool) {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 { // System.Text.Json escapes the plus of an offset
		var plain string
		if json.Unmarshal(quoted, &plain) != nil {
			return time.Time{}, false
		}
		text = []byte(plain)
	}
	return event.ParseDateTime(text)
}
