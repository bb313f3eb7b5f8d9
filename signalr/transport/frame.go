package transport

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// maxControl is the longest payload of a control frame (RFC 6455, 5.5).
const maxControl = 125

// A frameReader takes WebSocket frames apart as their bytes arrive (RFC 6455,
// section 5). Hub messages may be cut anywhere, so payloads are handed on in
// the pieces that come: nothing of a data frame is ever held, however long it
// says it is.
type frameReader struct {
	head      [14]byte // of the frame that has begun
	headBytes uint8
	opcode    ws.OpCode
	final     bool
	inFrame   bool // the header is complete
	inMessage bool // a fragmented message has begun
	mask      [4]byte
	maskAt    int
	left      uint64 // payload bytes to come
	control   []byte // payload of a control frame that has begun
}

// consume takes bytes from the client; it changes p. data is called with
// pieces of payload, ctl with whole control frames. An error is a status
// (RFC 6455, 7.4.1) that ends the connection, or what data or ctl returned.
func (f *frameReader) consume(p []byte, data func([]byte) error, ctl func(ws.OpCode, []byte) error) error {
	for len(p) > 0 || f.inFrame && f.left == 0 {
		if !f.inFrame {
			n, err := f.header(p)
			if err != nil {
				return err
			}
			if p = p[n:]; !f.inFrame {
				return nil
			}
		}
		n := int(min(uint64(len(p)), f.left))
		piece := p[:n]
		p = p[n:]
		f.left -= uint64(n)
		ws.Cipher(piece, f.mask, f.maskAt)
		f.maskAt = (f.maskAt + n) & 3
		if err := f.payload(piece, data, ctl); err != nil {
			return err
		}
		if f.left > 0 {
			return nil
		}
		f.inFrame = false
	}
	return nil
}

func (f *frameReader) payload(piece []byte, data func([]byte) error, ctl func(ws.OpCode, []byte) error) error {
	if !f.opcode.IsControl() {
		if len(piece) == 0 {
			return nil
		}
		return data(piece)
	}
	if f.left == 0 && len(f.control) == 0 {
		return ctl(f.opcode, piece)
	}
	f.control = append(f.control, piece...)
	if f.left > 0 {
		return nil
	}
	whole := f.control
	f.control = nil
	return ctl(f.opcode, whole)
}

// header collects a frame's header and checks it; it returns how many bytes
// of p belong to it.
func (f *frameReader) header(p []byte) (n int, err error) {
	for int(f.headBytes) < 2 || int(f.headBytes) < headerSize(f.head[1]) {
		if n == len(p) {
			return n, nil
		}
		f.head[f.headBytes] = p[n]
		f.headBytes++
		n++
	}
	h := f.head[:f.headBytes]
	f.headBytes = 0
	f.final, f.opcode = h[0]&0x80 != 0, ws.OpCode(h[0]&0x0f)
	switch f.left = uint64(h[1] & 0x7f); f.left {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(h[2:])
	}
	masked := h[1]&0x80 != 0
	switch {
	case h[0]&0x70 != 0, // an extension that was not negotiated
		!masked, // 5.1: a server must close on an unmasked frame
		f.opcode.IsReserved(),
		f.left>>63 != 0,
		f.opcode.IsControl() && (!f.final || f.left > maxControl),
		f.opcode == ws.OpContinuation && !f.inMessage,
		f.opcode.IsData() && f.opcode != ws.OpContinuation && f.inMessage:
		return n, closeError(ws.StatusProtocolError)
	}
	if !f.opcode.IsControl() {
		f.inMessage = !f.final
	}
	copy(f.mask[:], h[len(h)-4:])
	f.maskAt, f.inFrame = 0, true
	return n, nil
}

// headerSize is the size of a header whose second byte is b.
func headerSize(b byte) int {
	size := 2
	switch b & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if b&0x80 != 0 {
		size += 4
	}
	return size
}

// appendFrameHeader writes the header of an unmasked, final frame.
func appendFrameHeader(dst []byte, op ws.OpCode, size int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
}

// closeError is a reason to close a WebSocket, with its status.
type closeError ws.StatusCode

func (e closeError) Error() string { return "transport: WebSocket protocol error" }

func (e closeError) Is(target error) bool { return target == ErrProtocol }

// closeAnswer is the payload of the answer to a close frame: the status that
// the client gave, 1000 if it gave none, 1002 if it may not be sent or the
// reason is not UTF-8 (RFC 6455, 5.5.1 and 7.4).
func closeAnswer(payload []byte) []byte {
	status := ws.StatusNormalClosure
	if len(payload) >= 2 {
		status = ws.StatusCode(binary.BigEndian.Uint16(payload))
	}
	if len(payload) == 1 || !sendable(status) || len(payload) > 2 && !utf8.Valid(payload[2:]) {
		status = ws.StatusProtocolError
	}
	return binary.BigEndian.AppendUint16(nil, uint16(status))
}

func sendable(s ws.StatusCode) bool {
	return s >= 1000 && s <= 1014 && s != 1004 && s != 1005 && s != 1006 || s >= 3000 && s <= 4999
}
