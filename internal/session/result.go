package session

import (
	"encoding/json"
	"slices"
	"strconv"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
)

// A result is one line of what Subscribe and Unsubscribe answer: exactly
// the first four members, in this order (product page), and for an item that
// carried a cursor or asked for a snapshot how it was joined.
type result struct {
	subscribed   bool
	message      string // "" is null
	entity, name text
	joined       *fanout.Joined
}

type resultList struct {
	results []result
	camel   bool // names in MessagePack as in JSON
}

// resultBytes is about what a result takes.
const resultBytes = 140

// AppendJSON writes the list (signalr.Value).
func (l resultList) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(slices.Grow(dst, resultBytes*len(l.results)+2), '[')
	for i, r := range l.results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"subscribed":`...)
		if r.subscribed {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
		dst = appendMember(dst, `,"message":`, text{r.message, r.message != ""})
		dst = appendMember(dst, `,"entityId":`, r.entity)
		dst = appendMember(dst, `,"eventName":`, r.name)
		if r.joined != nil {
			dst = strconv.AppendBool(append(dst, `,"recovered":`...), r.joined.Recovered)
			dst = appendMember(dst, `,"cursor":`, text{r.joined.Cursor, true})
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// AppendMessagePack writes the list (signalr.Value); members have the names of
// the platform's own classes unless camel.
func (l resultList) AppendMessagePack(dst []byte) ([]byte, error) {
	dst = signalr.AppendPackedArray(dst, len(l.results))
	for _, r := range l.results {
		members := 4
		if r.joined != nil {
			members = 6
		}
		dst = signalr.AppendPackedMap(dst, members)
		dst = signalr.AppendPackedBool(packName(dst, "Subscribed", l.camel), r.subscribed)
		dst = packText(packName(dst, "Message", l.camel), text{r.message, r.message != ""})
		dst = packText(packName(dst, "EntityId", l.camel), r.entity)
		dst = packText(packName(dst, "EventName", l.camel), r.name)
		if r.joined != nil {
			dst = signalr.AppendPackedBool(packName(dst, "Recovered", l.camel), r.joined.Recovered)
			dst = packText(packName(dst, "Cursor", l.camel), text{r.joined.Cursor, true})
		}
	}
	return dst, nil
}

func packName(dst []byte, name string, camel bool) []byte {
	if camel {
		name = event.CamelCase(name)
	}
	return signalr.AppendPackedText(dst, name)
}

func packText(dst []byte, t text) []byte {
	if !t.given {
		return signalr.AppendPackedNil(dst)
	}
	return signalr.AppendPackedText(dst, t.value)
}

// An active is one line of what GetActiveSubscriptions answers.
type active struct{ entity, name string }

type activeList struct {
	pairs []active
	camel bool // names in MessagePack as in JSON
}

// AppendJSON writes the list (signalr.Value).
func (l activeList) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, a := range l.pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, `{"entityId":`, text{a.entity, true})
		dst = appendMember(dst, `,"eventName":`, text{a.name, true})
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// AppendMessagePack writes the list (signalr.Value).
func (l activeList) AppendMessagePack(dst []byte) ([]byte, error) {
	dst = signalr.AppendPackedArray(dst, len(l.pairs))
	for _, a := range l.pairs {
		dst = signalr.AppendPackedMap(dst, 2)
		dst = signalr.AppendPackedText(packName(dst, "EntityId", l.camel), a.entity)
		dst = signalr.AppendPackedText(packName(dst, "EventName", l.camel), a.name)
	}
	return dst, nil
}

// appendMember writes a text that may have come from a client, or null.
func appendMember(dst []byte, name string, t text) []byte {
	dst = append(dst, name...)
	if !t.given {
		return append(dst, "null"...)
	}
	if plain(t.value) {
		return append(append(append(dst, '"'), t.value...), '"')
	}
	b, err := json.Marshal(t.value)
	if err != nil { // text can always be written
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// plain tells whether a text needs no escapes: Guids and names do not.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// An explanation is one line of what Explain answers.
type explanation struct {
	EntityID   *string `json:"entityId"`
	EventName  *string `json:"eventName"`
	Allowed    bool    `json:"allowed"`
	Subscribed bool    `json:"subscribed"`
	Reason     string  `json:"reason"`
}

type explanations []explanation
