package fanout

import (
	"time"

	"rte/internal/event"
)

// A push is the argument of MessageReceived:
//
//	{"subscription":{"entityId":"…","eventName":"…"},"data":{…},"cursor":"…","time":"…"}
//
// The pair is the one that Subscribe answered, so that a client can use it as
// a key (I03, I05 of the catalogue). Clients in the field ignore the last two
// members.
type push struct {
	event *event.Event
	name  string
	plain bool
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
	}
	return append(dst, '}'), nil
}

// appendTime writes RTE's own dates: UTC, milliseconds, always with Z.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}
