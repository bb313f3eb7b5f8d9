package signalr

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// MessagePack is the MessagePack encoding: arrays, each behind its length
// (HubProtocol.md, "MessagePack encoding"). The zero value is ready to use.
type MessagePack struct{}

// Name is "messagepack".
func (MessagePack) Name() string { return "messagepack" }

// Binary is true: its bytes may have any value.
func (MessagePack) Binary() bool { return true }

func (MessagePack) slot() int { return 1 }

// The kinds of a Completion.
const (
	kindError = 1
	kindVoid  = 2
	kindValue = 3
)

// leastElements is how many elements a message has at least, by its type.
var leastElements = [...]int{
	typeInvocation: 5, typeStreamInvocation: 5, typeStreamItem: 4, typeCompletion: 4,
	typeCancelInvocation: 3, typePing: 1, typeClose: 2, typeAck: 2, typeSequence: 2,
}

// maxPrefix is the longest length prefix: five groups of seven bits.
const maxPrefix = 5

var errLength = errors.New("signalr: the length in front of a message is too large")

// Split reads the length in front of a record: seven bits a byte, the least
// significant first, the top bit set when another follows.
func (MessagePack) Split(buf []byte, _ int) (record []byte, taken int, err error) {
	size := uint64(0)
	for i, b := range buf {
		size |= uint64(b&0x7f) << (7 * i)
		if b&0x80 == 0 {
			if size > math.MaxInt32 {
				return nil, 0, errLength
			}
			if size > uint64(len(buf)-i-1) {
				return nil, 0, nil
			}
			end := i + 1 + int(size)
			return buf[i+1 : end], end, nil
		}
		if i == maxPrefix-1 {
			return nil, 0, errLength
		}
	}
	return nil, 0, nil
}

// Parse reads one record. The message's arguments, item and result are parts
// of record. Further elements of the array are ignored.
func (MessagePack) Parse(record []byte) (Message, error) {
	u := unpacker{b: record}
	n := u.array("message")
	typ := u.integer("type")
	if u.err != nil {
		return nil, u.err
	}
	if typ < typeInvocation || typ >= int64(len(leastElements)) {
		return nil, nil // a newer protocol's message
	}
	if least := leastElements[typ]; n < least {
		return nil, fmt.Errorf("signalr: message of type %d has %d elements, wanted at least %d", typ, n, least)
	}
	m := u.message(int(typ), n)
	if u.err != nil {
		return nil, u.err
	}
	return m, nil
}

// message reads the elements behind the type.
func (u *unpacker) message(typ, n int) Message {
	switch typ {
	case typeInvocation, typeStreamInvocation:
		m := &Invocation{Headers: u.headers(), ID: u.text("invocationId"), Target: u.text("target"), Stream: typ == typeStreamInvocation}
		m.Arguments = u.values("arguments")
		if n > 5 {
			m.StreamIDs = u.texts("streamIds")
		}
		switch {
		case m.Target == "":
			u.fail(errMissing("target"))
		case m.Stream && m.ID == "":
			u.fail(errMissing("invocationId"))
		}
		return m
	case typeStreamItem:
		return &StreamItem{Headers: u.headers(), ID: u.required("invocationId"), Item: u.value("item")}
	case typeCompletion:
		m := &Completion{Headers: u.headers(), ID: u.required("invocationId")}
		switch kind := u.integer("resultKind"); kind {
		case kindError:
			m.Error = u.text("error")
		case kindVoid:
		case kindValue:
			m.Result = u.value("result")
		default:
			u.fail(fmt.Errorf("signalr: unknown result kind %d", kind))
		}
		return m
	case typeCancelInvocation:
		return &CancelInvocation{Headers: u.headers(), ID: u.required("invocationId")}
	case typeClose:
		m := &Close{Error: u.text("error")}
		if n > 2 {
			m.AllowReconnect = u.boolean("allowReconnect")
		}
		return m
	case typeAck:
		return &Ack{u.integer("sequenceId")}
	case typeSequence:
		return &Sequence{u.integer("sequenceId")}
	}
	return &Ping{}
}

// Append writes a message and the length in front of it.
func (MessagePack) Append(dst []byte, m Message) ([]byte, error) {
	begin := len(dst)
	dst = append(dst, make([]byte, maxPrefix)...)
	dst, err := appendPacked(dst, m)
	if err != nil {
		return nil, err
	}
	// The length is known now, and mostly shorter than the room left for it.
	size := len(dst) - begin - maxPrefix
	at := begin
	for n := size; ; n >>= 7 {
		dst[at] = byte(n & 0x7f)
		if n < 0x80 {
			at++
			break
		}
		dst[at] |= 0x80
		at++
	}
	copy(dst[at:], dst[begin+maxPrefix:])
	return dst[:at+size], nil
}

func appendPacked(dst []byte, m Message) ([]byte, error) {
	switch m := m.(type) {
	case *Invocation:
		dst = packHead(dst, 6, m.messageType(), m.Headers)
		if m.ID == "" {
			dst = append(dst, packedNil)
		} else {
			dst = AppendPackedText(dst, m.ID)
		}
		dst = AppendPackedText(dst, m.Target)
		dst = AppendPackedArray(dst, len(m.Arguments))
		for _, a := range m.Arguments {
			var err error
			if dst, err = packValue(dst, a); err != nil {
				return nil, err
			}
		}
		dst = AppendPackedArray(dst, len(m.StreamIDs))
		for _, id := range m.StreamIDs {
			dst = AppendPackedText(dst, id)
		}
		return dst, nil
	case *StreamItem:
		return packValue(AppendPackedText(packHead(dst, 4, typeStreamItem, m.Headers), m.ID), m.Item)
	case *Completion:
		switch {
		case m.Error != "":
			dst = AppendPackedText(packHead(dst, 5, typeCompletion, m.Headers), m.ID)
			return AppendPackedText(append(dst, kindError), m.Error), nil
		case m.Result != nil:
			dst = AppendPackedText(packHead(dst, 5, typeCompletion, m.Headers), m.ID)
			return m.Result.AppendMessagePack(append(dst, kindValue))
		}
		return append(AppendPackedText(packHead(dst, 4, typeCompletion, m.Headers), m.ID), kindVoid), nil
	case *CancelInvocation:
		return AppendPackedText(packHead(dst, 3, typeCancelInvocation, m.Headers), m.ID), nil
	case *Close:
		dst = append(AppendPackedArray(dst, 3), typeClose)
		if m.Error == "" {
			dst = append(dst, packedNil)
		} else {
			dst = AppendPackedText(dst, m.Error)
		}
		return AppendPackedBool(dst, m.AllowReconnect), nil
	case *Ack:
		return AppendPackedInt(append(AppendPackedArray(dst, 2), typeAck), m.ID), nil
	case *Sequence:
		return AppendPackedInt(append(AppendPackedArray(dst, 2), typeSequence), m.ID), nil
	}
	return append(AppendPackedArray(dst, 1), typePing), nil
}

// packValue writes a value; nil is nil.
func packValue(dst []byte, v Value) ([]byte, error) {
	if v == nil {
		return append(dst, packedNil), nil
	}
	return v.AppendMessagePack(dst)
}

// packHead begins an array of n elements with type and headers, the latter in
// the order of their names, so that equal messages are equal bytes.
func packHead(dst []byte, n, typ int, headers map[string]string) []byte {
	dst = AppendPackedMap(append(AppendPackedArray(dst, n), byte(typ)), len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		dst = AppendPackedText(AppendPackedText(dst, name), headers[name])
	}
	return dst
}
