package bench

import (
	"bytes"
	"encoding/json"
	"strconv"

	"rte/producer"
)

// A stamp is what an event of a load run says. It stands in the queue's name,
// plain text in both protocols, so that a client finds it without decoding the
// message: hearing is cheap.
type stamp struct {
	run  string
	pair int
	n    uint64 // of the pair, from 1
	at   int64  // when it was due, nanoseconds since the beginning
}

const stampWord = "rte-load "

// payload is an event's data, of about size bytes.
func (s stamp) payload(size int) json.RawMessage {
	b := append(make([]byte, 0, size+32), `{"queueName":"`+stampWord+s.run+" "...)
	b = strconv.AppendInt(b, int64(s.pair), 10)
	b = strconv.AppendUint(append(b, ' '), s.n, 10)
	b = strconv.AppendInt(append(b, ' '), s.at, 10)
	b = append(b, ' ')
	return padded(b, size)
}

// findStamp looks for the stamp of a run in a message as received.
func findStamp(message []byte, run string) (s stamp, ok bool) {
	i := bytes.Index(message, []byte(stampWord))
	if i < 0 {
		return stamp{}, false
	}
	rest := message[i+len(stampWord):]
	if !bytes.HasPrefix(rest, []byte(run)) {
		return stamp{}, false
	}
	s.run, rest = run, rest[len(run):]
	var fields [3]int64
	for i := range fields {
		if rest, fields[i], ok = number(rest); !ok {
			return stamp{}, false
		}
	}
	s.pair, s.n, s.at = int(fields[0]), uint64(fields[1]), fields[2]
	return s, true
}

// number reads a space and digits.
func number(b []byte) (rest []byte, v int64, ok bool) {
	if len(b) == 0 || b[0] != ' ' {
		return b, 0, false
	}
	b = b[1:]
	i := 0
	for i < len(b) && i < 18 && '0' <= b[i] && b[i] <= '9' {
		v = 10*v + int64(b[i]-'0')
		i++
	}
	return b[i:], v, i > 0
}

// stamped is one event of a load run as the publish door takes it.
func (p *pair) stamped(org string, s stamp, size int) producer.Event {
	return producer.Event{
		Organization: org, Entity: p.entity.String(), Name: p.name, Data: s.payload(size),
		ID: "rte-load-" + s.run + "-" + strconv.Itoa(s.pair) + "-" + strconv.FormatUint(s.n, 10),
	}
}

// findCursor looks for the cursor of a push, as JSON or MessagePack.
func findCursor(message []byte) (string, bool) {
	if i := bytes.LastIndex(message, []byte(`"cursor":"`)); i >= 0 {
		rest := message[i+len(`"cursor":"`):]
		if end := bytes.IndexByte(rest, '"'); end >= 0 {
			return string(rest[:end]), true
		}
	}
	return "", false
}
