package signalr_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rte/signalr"
)

// A vector is one case of testdata/vectors; README.md there says what the
// parts mean.
type vector struct {
	name    string // file and line
	kind    string
	members members
	json    []byte // nil: the case has none
	msgpack []byte // the same
	expect  string
}

// bytes are the case's bytes in each encoding that it has.
func (v vector) bytes() map[signalr.Protocol][]byte {
	all := map[signalr.Protocol][]byte{}
	if v.json != nil {
		all[signalr.JSON{}] = v.json
	}
	if v.msgpack != nil {
		all[signalr.MessagePack{}] = v.msgpack
	}
	return all
}

// members are what a message says, whatever its encoding.
type members struct {
	ID             string            `json:"id,omitempty"`
	Target         string            `json:"target,omitempty"`
	Arguments      []json.RawMessage `json:"arguments,omitzero"`
	Item           json.RawMessage   `json:"item,omitempty"`
	Result         json.RawMessage   `json:"result,omitempty"`
	Error          string            `json:"error,omitempty"`
	StreamIDs      []string          `json:"streamIds,omitempty"`
	Headers        map[string]string `json:"headers,omitempty"`
	AllowReconnect bool              `json:"allowReconnect,omitempty"`
	SequenceID     *int64            `json:"sequenceId,omitempty"`
	Protocol       string            `json:"protocol,omitempty"`
	Version        *int              `json:"version,omitempty"`
}

// readVectors reads every case; it fails when there is none, and on anything
// it does not know.
func readVectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("found no vector files")
	}
	var all []vector
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list, err := parseVectors(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			t.Fatalf("%s holds no case", file)
		}
		all = append(all, list...)
	}
	return all
}

func parseVectors(file, text string) (list []vector, err error) {
	lines := strings.Split(text, "\n")
	for begin := 0; begin < len(lines); begin++ {
		end := begin
		for end < len(lines) && lines[end] != "" {
			end++
		}
		if end > begin {
			name := fmt.Sprintf("%s:%d", file, begin+1)
			v, err := parseVector(lines[begin:end])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			v.name = name
			list = append(list, v)
		}
		begin = end
	}
	return list, nil
}

func parseVector(lines []string) (v vector, err error) {
	seen := map[string]string{}
	for _, line := range lines {
		if strings.HasPrefix(line, "#") {
			seen["#"] = line
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if bare, found := strings.CutSuffix(line, ":"); !ok && found { // nothing behind the colon
			key, ok = bare, true
		}
		if _, twice := seen[key]; twice || !ok {
			return v, fmt.Errorf("line %q", line)
		}
		seen[key] = value
	}
	for _, key := range []string{"#", "source", "message", "expect"} {
		if _, ok := seen[key]; !ok {
			return v, fmt.Errorf("no %q", key)
		}
	}
	v.expect = seen["expect"]
	if line, ok := seen["json"]; ok {
		if v.json, err = unescape(line); err != nil {
			return v, err
		}
	}
	if line, ok := seen["msgpack"]; ok {
		if v.msgpack, err = unhex(line); err != nil {
			return v, err
		}
	}
	if n := len(v.bytes()); n == 0 || len(seen) != 4+n {
		return v, fmt.Errorf("no bytes, or an unknown key, in %v", seen)
	}
	var text string
	v.kind, text, _ = strings.Cut(seen["message"], " ")
	if text != "" {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&v.members); err != nil {
			return v, fmt.Errorf("message: %w", err)
		}
	}
	return v, nil
}

var byteSign = regexp.MustCompile(`‹([0-9a-f]{2})›`)

// unescape makes the bytes of a json line.
func unescape(s string) ([]byte, error) {
	s = strings.ReplaceAll(s, "␞", "\x1e")
	s = byteSign.ReplaceAllStringFunc(s, func(sign string) string {
		b, _ := hex.DecodeString(strings.Trim(sign, "‹›"))
		return string(b)
	})
	if strings.ContainsAny(s, "‹›") {
		return nil, fmt.Errorf("bad byte sign in %q", s)
	}
	return append([]byte{}, s...), nil
}

var hexSign = regexp.MustCompile(`^(?:"([^"]*)"|([0-9a-f]{2}))(?: |$)`)

// unhex makes the bytes of a msgpack line.
func unhex(s string) ([]byte, error) {
	b := []byte{}
	for s != "" {
		sign := hexSign.FindStringSubmatch(s)
		if sign == nil {
			return nil, fmt.Errorf("bad byte in %q", s)
		}
		if one, err := hex.DecodeString(sign[2]); err == nil && len(one) == 1 {
			b = append(b, one[0])
		} else {
			b = append(b, sign[1]...)
		}
		s = s[len(sign[0]):]
	}
	return b, nil
}

// message builds the vector's message.
func (v vector) message() (signalr.Message, error) {
	m := v.members
	value := func(raw json.RawMessage) signalr.Value {
		if raw == nil {
			return nil
		}
		return signalr.RawJSON(raw)
	}
	var args []signalr.Value
	for _, a := range m.Arguments {
		args = append(args, value(a))
	}
	switch v.kind {
	case "Invocation", "StreamInvocation":
		return &signalr.Invocation{ID: m.ID, Target: m.Target, Arguments: args, StreamIDs: m.StreamIDs, Headers: m.Headers, Stream: v.kind == "StreamInvocation"}, nil
	case "StreamItem":
		return &signalr.StreamItem{ID: m.ID, Item: value(m.Item), Headers: m.Headers}, nil
	case "Completion":
		return &signalr.Completion{ID: m.ID, Result: value(m.Result), Error: m.Error, Headers: m.Headers}, nil
	case "CancelInvocation":
		return &signalr.CancelInvocation{ID: m.ID, Headers: m.Headers}, nil
	case "Ping":
		return &signalr.Ping{}, nil
	case "Close":
		return &signalr.Close{Error: m.Error, AllowReconnect: m.AllowReconnect}, nil
	case "Ack":
		return &signalr.Ack{ID: *m.SequenceID}, nil
	case "Sequence":
		return &signalr.Sequence{ID: *m.SequenceID}, nil
	}
	return nil, fmt.Errorf("unknown kind %q", v.kind)
}

// describe is the other way round: kind and members of a message as text, so
// that two messages can be compared whatever spelling their values came in.
func describe(t testing.TB, m signalr.Message) string {
	t.Helper()
	raw := func(v signalr.Value) json.RawMessage {
		if v == nil {
			return nil
		}
		b, err := v.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, b); err != nil {
			t.Fatal(err)
		}
		return compact.Bytes()
	}
	switch m := m.(type) {
	case nil:
		return "nothing"
	case *signalr.Invocation:
		kind, args := "Invocation", []json.RawMessage{}
		if m.Stream {
			kind = "StreamInvocation"
		}
		for _, a := range m.Arguments {
			args = append(args, raw(a))
		}
		return text(t, kind, members{ID: m.ID, Target: m.Target, Arguments: args, StreamIDs: m.StreamIDs, Headers: m.Headers})
	case *signalr.StreamItem:
		return text(t, "StreamItem", members{ID: m.ID, Item: raw(m.Item), Headers: m.Headers})
	case *signalr.Completion:
		return text(t, "Completion", members{ID: m.ID, Result: raw(m.Result), Error: m.Error, Headers: m.Headers})
	case *signalr.CancelInvocation:
		return text(t, "CancelInvocation", members{ID: m.ID, Headers: m.Headers})
	case *signalr.Ping:
		return "Ping {}"
	case *signalr.Close:
		return text(t, "Close", members{Error: m.Error, AllowReconnect: m.AllowReconnect})
	case *signalr.Ack:
		return text(t, "Ack", members{SequenceID: &m.ID})
	case *signalr.Sequence:
		return text(t, "Sequence", members{SequenceID: &m.ID})
	}
	t.Fatalf("unknown message %T", m)
	return ""
}

func text(t testing.TB, kind string, m members) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return kind + " " + string(b)
}
