package signalr

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// recordSeparator ends every JSON record and both handshake messages
// (HubProtocol.md, "JSON encoding").
const recordSeparator = 0x1e

// JSON is the JSON encoding: UTF-8 objects, each followed by 0x1E. The zero
// value is ready to use.
type JSON struct{}

// Name is "json".
func (JSON) Name() string { return "json" }

// Binary is false: every transport carries JSON.
func (JSON) Binary() bool { return false }

func (JSON) slot() int { return 0 }

// Split cuts at the record separator.
func (JSON) Split(buf []byte, scanned int) (record []byte, taken int, err error) {
	i := bytes.IndexByte(buf[scanned:], recordSeparator)
	if i < 0 {
		return nil, 0, nil
	}
	i += scanned
	return buf[:i], i + 1, nil
}

// Errors of a message that cannot be read; the connection is closed on any.
var (
	errNotUTF8   = errors.New("signalr: message is not UTF-8")
	errNotJSON   = errors.New("signalr: message is not JSON")
	errNotObject = errors.New("signalr: message is not a JSON object")
	errBothSet   = errors.New("signalr: the 'error' and 'result' properties are mutually exclusive")
)

func errMissing(name string) error {
	return fmt.Errorf("signalr: missing required property '%s'", name)
}

// maxDepth is how deep objects and arrays may nest (System.Text.Json's
// default).
const maxDepth = 64

// jsonMessage is what the members of a record say, before it is known what
// the record is: members come in any order, the last of equal names counts.
type jsonMessage struct {
	typ                    int64
	hasType                bool
	id, target, err        string
	arguments              []Value
	hasArguments           bool
	item, result           Value
	streamIDs              []string
	headers                map[string]string
	allowReconnect, hasErr bool
	sequence               int64
	hasSequence            bool
}

// Parse reads one record. The message's arguments, item and result are slices
// of record.
func (JSON) Parse(record []byte) (Message, error) {
	if !utf8.Valid(record) {
		return nil, errNotUTF8
	}
	if !wellFormed(record, maxDepth) {
		return nil, errNotJSON
	}
	s := scanner{record}
	if s.peek() != '{' {
		return nil, errNotObject
	}
	var m jsonMessage
	if err := s.members(m.member); err != nil {
		return nil, err
	}
	return m.message()
}

// member takes one property; names are case-sensitive, unknown ones ignored.
func (m *jsonMessage) member(name, value []byte) (err error) {
	switch string(name) {
	case "type":
		m.hasType = true
		m.typ, err = readNumber("type", value)
	case "invocationId":
		m.id, err = readString("invocationId", value)
	case "target":
		m.target, err = readString("target", value)
	case "error":
		m.err, err = readString("error", value)
		m.hasErr = string(value) != "null"
	case "arguments":
		m.hasArguments = true
		m.arguments, err = readValues(value)
	case "item":
		m.item = Raw{bytes: value}
	case "result":
		m.result = Raw{bytes: value}
	case "streamIds":
		m.streamIDs, err = readStrings(value)
	case "headers":
		m.headers, err = readHeaders(value)
	case "allowReconnect":
		m.allowReconnect = string(value) == "true"
		if !m.allowReconnect && string(value) != "false" {
			err = errKind("allowReconnect", "Boolean")
		}
	case "sequenceId":
		m.hasSequence = true
		m.sequence, err = readNumber("sequenceId", value)
	}
	return err
}

func (m *jsonMessage) message() (Message, error) {
	if !m.hasType {
		return nil, errMissing("type")
	}
	switch m.typ {
	case typeInvocation, typeStreamInvocation:
		return m.invocation()
	case typeStreamItem:
		switch {
		case m.id == "":
			return nil, errMissing("invocationId")
		case m.item == nil:
			return nil, errMissing("item")
		}
		return &StreamItem{ID: m.id, Item: m.item, Headers: m.headers}, nil
	case typeCompletion:
		switch {
		case m.id == "":
			return nil, errMissing("invocationId")
		case m.hasErr && m.result != nil:
			return nil, errBothSet
		}
		return &Completion{ID: m.id, Result: m.result, Error: m.err, Headers: m.headers}, nil
	case typeCancelInvocation:
		if m.id == "" {
			return nil, errMissing("invocationId")
		}
		return &CancelInvocation{ID: m.id, Headers: m.headers}, nil
	case typePing:
		return &Ping{}, nil
	case typeClose:
		return &Close{Error: m.err, AllowReconnect: m.allowReconnect}, nil
	case typeAck, typeSequence:
		if !m.hasSequence {
			return nil, errMissing("sequenceId")
		}
		if m.typ == typeAck {
			return &Ack{m.sequence}, nil
		}
		return &Sequence{m.sequence}, nil
	}
	return nil, nil // a newer protocol's message
}

func (m *jsonMessage) invocation() (Message, error) {
	stream := m.typ == typeStreamInvocation
	switch {
	case m.target == "":
		return nil, errMissing("target")
	case !m.hasArguments:
		return nil, errMissing("arguments")
	case stream && m.id == "":
		return nil, errMissing("invocationId")
	}
	return &Invocation{ID: m.id, Target: m.target, Arguments: m.arguments, StreamIDs: m.streamIDs, Headers: m.headers, Stream: stream}, nil
}

// Append writes a message and its separator. Members stand in the order in
// which released servers write them: type, headers, invocationId, the rest.
func (JSON) Append(dst []byte, m Message) ([]byte, error) {
	dst = append(dst, `{"type":`...)
	dst = strconv.AppendInt(dst, int64(m.messageType()), 10)
	var err error
	switch m := m.(type) {
	case *Invocation:
		dst = appendHead(dst, m.Headers, m.ID)
		dst = appendText(append(dst, `,"target":`...), m.Target)
		dst = append(dst, `,"arguments":[`...)
		for i, a := range m.Arguments {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendValue(dst, a); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ']')
		if len(m.StreamIDs) > 0 {
			dst = append(dst, `,"streamIds":[`...)
			for i, id := range m.StreamIDs {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = appendText(dst, id)
			}
			dst = append(dst, ']')
		}
	case *StreamItem:
		dst = appendHead(dst, m.Headers, m.ID)
		dst, err = appendValue(append(dst, `,"item":`...), m.Item)
	case *Completion:
		dst = appendHead(dst, m.Headers, m.ID)
		switch {
		case m.Error != "":
			dst = appendText(append(dst, `,"error":`...), m.Error)
		case m.Result != nil:
			dst, err = m.Result.AppendJSON(append(dst, `,"result":`...))
		}
	case *CancelInvocation:
		dst = appendHead(dst, m.Headers, m.ID)
	case *Ping:
	case *Close:
		if m.Error != "" {
			dst = appendText(append(dst, `,"error":`...), m.Error)
		}
		if m.AllowReconnect {
			dst = append(dst, `,"allowReconnect":true`...)
		}
	case *Ack:
		dst = strconv.AppendInt(append(dst, `,"sequenceId":`...), m.ID, 10)
	case *Sequence:
		dst = strconv.AppendInt(append(dst, `,"sequenceId":`...), m.ID, 10)
	}
	if err != nil {
		return nil, err
	}
	return append(dst, '}', recordSeparator), nil
}
