package bench

import (
	"encoding/json"
	"strconv"
	"strings"

	"rte/internal/event"
	"rte/producer"
	"rte/signalr"
)

// The two events that carry numbers: of the first every one counts, of the
// second the newest.
const (
	itemEvent  = "QueueCallInArrived"
	stateEvent = "QueueStatus"
)

// A pair is one line of numbered events.
type pair struct {
	entity event.GUID
	name   string
	state  bool
}

// newPairs makes n pairs of entities that nobody else has; every fourth is a
// state.
func newPairs(n int) []pair {
	list := make([]pair, n)
	for i := range list {
		list[i] = newPair(i%4 == 3)
	}
	return list
}

// newPair makes a pair of an entity that nobody else has.
func newPair(state bool) pair {
	if state {
		return pair{event.NewGUID(), stateEvent, true}
	}
	return pair{event.NewGUID(), itemEvent, false}
}

// A mark is what a numbered event says. It stands in the queue's name, which
// both events have and nothing interprets.
type mark struct {
	run string
	n   uint64
	at  int64 // when it was sent, nanoseconds since the beginning
}

const markWord = "rte-bench"

// payload is an event's data, of about size bytes.
func (m mark) payload(size int) json.RawMessage {
	b := append([]byte(`{"queueName":"`), markWord...)
	b = append(append(b, ' '), m.run...)
	b = strconv.AppendUint(append(b, ' '), m.n, 10)
	b = strconv.AppendInt(append(b, ' '), m.at, 10)
	b = append(b, ' ')
	return padded(b, size)
}

// padded ends a payload whose only member is a text that may be longer, so that
// it has about size bytes.
func padded(b []byte, size int) json.RawMessage {
	for len(b) < size-2 {
		b = append(b, '.')
	}
	return append(b, `"}`...)
}

// parseMark reads a payload's mark; ok is false for events of others.
func parseMark(queueName string) (m mark, ok bool) {
	words := strings.Fields(queueName)
	if len(words) < 4 || words[0] != markWord {
		return mark{}, false
	}
	n, err1 := strconv.ParseUint(words[2], 10, 64)
	at, err2 := strconv.ParseInt(words[3], 10, 64)
	return mark{words[1], n, at}, err1 == nil && err2 == nil
}

// A message is what a client is pushed, as far as the checker reads it. Names
// are matched in any case: MessagePack spells them otherwise than JSON.
type message struct {
	Subscription struct{ EntityID, EventName string }
	Data         struct{ QueueName string }
	Cursor       string
}

func readMessage(v signalr.Value) (m message, err error) {
	err = signalr.Decode(v, &m)
	return m, err
}

// event is one numbered event as the publish door takes it.
func (p *pair) event(org string, m mark, index, size int) producer.Event {
	return producer.Event{
		Organization: org, Entity: p.entity.String(), Name: p.name,
		Data: m.payload(size),
		ID:   markWord + "-" + m.run + "-" + strconv.Itoa(index) + "-" + strconv.FormatUint(m.n, 10),
	}
}
