package signalr_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			switch v.kind {
			case "HandshakeRequest", "HandshakeResponse":
				v.testHandshake(t)
			default:
				for p, b := range v.bytes() {
					v.testMessage(t, p, b)
				}
			}
		})
	}
}

func (v vector) testMessage(t *testing.T, p signalr.Protocol, whole []byte) {
	record, taken, err := p.Split(whole, 0)
	if err == nil && (taken == 0) != (v.expect == "incomplete") {
		t.Fatalf("Split(%q) took %d bytes, want the case to be %s", whole, taken, v.expect)
	}
	if v.expect == "incomplete" {
		return
	}
	var got signalr.Message
	if err == nil {
		if taken != len(whole) {
			t.Fatalf("Split(%q) took %d bytes, want all", whole, taken)
		}
		got, err = p.Parse(record)
	}
	if reason, ok := strings.CutPrefix(v.expect, "error "); ok {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Fatalf("Parse(%q) = %s, %v, want an error with %q", record, describe(t, got), err, reason)
		}
		return
	}
	switch v.expect {
	case "ignored":
		if got != nil || err != nil {
			t.Fatalf("Parse(%q) = %s, %v, want it ignored", record, describe(t, got), err)
		}
		return
	case "both", "read", "write":
	default:
		t.Fatalf("unknown expectation %q", v.expect)
	}
	want, merr := v.message()
	if merr != nil {
		t.Fatal(merr)
	}
	if v.expect != "write" {
		if err != nil {
			t.Fatalf("%s: Parse(%q): %v", p.Name(), record, err)
		}
		if diff := cmp.Diff(describe(t, want), describe(t, got)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", record, diff)
		}
	}
	if v.expect != "read" {
		b, err := p.Append([]byte("before"), want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before"+string(whole), string(b)); diff != "" {
			t.Errorf("%s: Append (-want +got):\n%s", p.Name(), diff)
		}
	}
}

func (v vector) testHandshake(t *testing.T) {
	record, taken := signalr.SplitHandshake(v.json)
	if (taken == 0) != (v.expect == "incomplete") {
		t.Fatalf("SplitHandshake(%q) took %d bytes, want the case to be %s", v.json, taken, v.expect)
	}
	if v.expect == "incomplete" {
		return
	}
	var got members
	var err error
	if v.kind == "HandshakeRequest" {
		var r signalr.HandshakeRequest
		r, err = signalr.ParseHandshakeRequest(record)
		got = members{Protocol: r.Protocol, Version: &r.Version}
	} else {
		got.Error, err = signalr.ParseHandshakeResponse(record)
	}
	if reason, ok := strings.CutPrefix(v.expect, "error "); ok {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Fatalf("parse %q = %s, %v, want an error with %q", record, text(t, v.kind, got), err, reason)
		}
		return
	}
	if err != nil {
		t.Fatalf("parse %q: %v", record, err)
	}
	if diff := cmp.Diff(text(t, v.kind, v.members), text(t, v.kind, got)); diff != "" {
		t.Errorf("parse %q (-want +got):\n%s", record, diff)
	}
	var b []byte
	if v.kind == "HandshakeRequest" {
		b = signalr.AppendHandshakeRequest(nil, signalr.HandshakeRequest{Protocol: v.members.Protocol, Version: *v.members.Version})
	} else {
		b = signalr.AppendHandshakeResponse(nil, v.members.Error)
	}
	switch v.expect {
	case "both":
		if string(b) != string(v.json) {
			t.Errorf("append %s = %q, want %q", text(t, v.kind, v.members), b, v.json)
		}
	case "read":
	default:
		t.Fatalf("unknown expectation %q", v.expect)
	}
}

// The loader is a test of the vectors, so it must be able to fail.
func TestVectorFileErrors(t *testing.T) {
	t.Parallel()
	const good = "# why\nsource: s\nmessage: Ping\njson: {}␞\nexpect: both\n"
	if list, err := parseVectors("f", "\n"+good+"\n\n"+good); err != nil || len(list) != 2 {
		t.Fatalf("parse two good cases = %d, %v", len(list), err)
	}
	const packed = "# why\nsource: s\nmessage: Ping\nmsgpack: 02 91 06 \"a b\" 00\nexpect: both\n"
	if list, err := parseVectors("f", packed); err != nil || string(list[0].msgpack) != "\x02\x91\x06a b\x00" || list[0].json != nil {
		t.Fatalf("parse a good packed case = %v, %v", list, err)
	}
	tests := []struct{ name, text string }{
		{"no bytes", strings.Replace(good, "json: {}␞\n", "", 1)},
		{"half a byte", strings.Replace(packed, " 00", " 0", 1)},
		{"bytes in capitals", strings.Replace(packed, " 06", " AB", 1)},
		{"bytes without space", strings.Replace(packed, "91 06", "9106", 1)},
		{"open text", strings.Replace(packed, `b"`, "b", 1)},
		{"no reason", strings.Replace(good, "# why\n", "", 1)},
		{"no source", strings.Replace(good, "source: s\n", "", 1)},
		{"unknown key", strings.Replace(good, "source", "sauce", 1)},
		{"further key", good + "msgpak: 00\n"},
		{"key twice", good + "source: t\n"},
		{"no colon", good + "oops\n"},
		{"unknown member", strings.Replace(good, "Ping", `Ping {"type":6}`, 1)},
		{"bad byte sign", strings.Replace(good, "␞", "‹1E›", 1)},
	}
	for _, test := range tests {
		if _, err := parseVectors("f", test.text); err == nil {
			t.Errorf("%s: no error", test.name)
		}
	}
}
