package signalr

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// A HandshakeRequest is the client's first message (HubProtocol.md,
// "Handshake"): always JSON and a record separator, whatever protocol it asks
// for.
type HandshakeRequest struct {
	Protocol string // "json" or "messagepack"
	Version  int    // 1, or 2 with stateful reconnect
}

// ErrNotHandshake means that the first message was something else.
var ErrNotHandshake = errors.New("signalr: the first message is not a handshake request")

// SplitHandshake finds the handshake message at the start of buf: its text
// and the number of bytes it took, 0 if it has not all arrived.
func SplitHandshake(buf []byte) (text []byte, taken int) {
	i := bytes.IndexByte(buf, recordSeparator)
	if i < 0 {
		return nil, 0
	}
	return buf[:i], i + 1
}

// ParseHandshakeRequest reads the text of a request. Further members are
// ignored; of equal names the last counts.
func ParseHandshakeRequest(text []byte) (HandshakeRequest, error) {
	var r HandshakeRequest
	s, err := handshakeObject(text)
	if err != nil {
		return r, err
	}
	hasVersion := false
	err = s.members(func(name, value []byte) error {
		var err error
		switch string(name) {
		case "protocol":
			r.Protocol, err = readString("protocol", value)
		case "version":
			hasVersion = true
			var n int64
			if n, err = readNumber("version", value); n != int64(int32(n)) {
				err = errKind("version", "Number")
			}
			r.Version = int(n)
		}
		return err
	})
	switch {
	case err != nil:
		return r, fmt.Errorf("%w: %w", ErrNotHandshake, err)
	case r.Protocol == "":
		return r, fmt.Errorf("%w: %w", ErrNotHandshake, errMissing("protocol"))
	case !hasVersion:
		return r, fmt.Errorf("%w: %w", ErrNotHandshake, errMissing("version"))
	}
	return r, nil
}

func handshakeObject(text []byte) (scanner, error) {
	s := scanner{text}
	if !utf8.Valid(text) || !wellFormed(text, maxDepth) || s.peek() != '{' {
		return s, ErrNotHandshake
	}
	return s, nil
}

// AppendHandshakeRequest writes a request.
func AppendHandshakeRequest(dst []byte, r HandshakeRequest) []byte {
	dst = appendText(append(dst, `{"protocol":`...), r.Protocol)
	return append(fmt.Appendf(dst, `,"version":%d}`, r.Version), recordSeparator)
}

// AppendHandshakeResponse writes the server's answer: "{}" when failure is
// "", else {"error": failure}.
func AppendHandshakeResponse(dst []byte, failure string) []byte {
	if failure == "" {
		return append(dst, '{', '}', recordSeparator)
	}
	return append(appendText(append(dst, `{"error":`...), failure), '}', recordSeparator)
}

// ParseHandshakeResponse reads the server's answer and returns the failure it
// names, "" if there is none. A member "type" means that the server sent some
// other message first, which is an error.
func ParseHandshakeResponse(text []byte) (failure string, err error) {
	s, err := handshakeObject(text)
	if err != nil {
		return "", errors.New("signalr: the server's first message is not a handshake response")
	}
	err = s.members(func(name, value []byte) error {
		switch string(name) {
		case "error":
			failure, err = readString("error", value)
			return err
		case "type":
			return errors.New("signalr: expected a handshake response from the server")
		}
		return nil
	})
	return failure, err
}
