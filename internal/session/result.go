package session

import (
	"encoding/json"
)

// A result is one line of what Subscribe and Unsubscribe answer: exactly
// these four members, in this order (product page).
type result struct {
	subscribed   bool
	message      string  // "" is null
	entity, name *string // nil is null
}

type resultList []result

// AppendJSON writes the list (signalr.Value).
func (l resultList) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, r := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"subscribed":`...)
		if r.subscribed {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
		var message *string
		if r.message != "" {
			message = &r.message
		}
		dst = appendMember(dst, `,"message":`, message)
		dst = appendMember(dst, `,"entityId":`, r.entity)
		dst = appendMember(dst, `,"eventName":`, r.name)
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// An active is one line of what GetActiveSubscriptions answers.
type active struct{ entity, name string }

type activeList []active

// AppendJSON writes the list (signalr.Value).
func (l activeList) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, a := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, `{"entityId":`, &a.entity)
		dst = appendMember(dst, `,"eventName":`, &a.name)
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// appendMember writes a text that may have come from a client, or null.
func appendMember(dst []byte, name string, text *string) []byte {
	dst = append(dst, name...)
	if text == nil {
		return append(dst, "null"...)
	}
	if plain(*text) {
		return append(append(append(dst, '"'), *text...), '"')
	}
	b, err := json.Marshal(*text)
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
