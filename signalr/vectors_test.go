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
				v.testMessage(t)
			}
		})
	}
}

func (v vector) testMessage(t *testing.T) {
	record, taken, err := signalr.JSON{}.Split(v.json, 0)
	if err != nil {
		t.Fatal(err)
	}
	if (taken == 0) != (v.expect == "incomplete") {
		t.Fatalf("Split(%q) took %d bytes, want the case to be %s", v.json, taken, v.expect)
	}
	if v.expect == "incomplete" {
		return
	}
	got, err := signalr.JSON{}.Parse(record)
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
			t.Fatalf("Parse(%q): %v", record, err)
		}
		if diff := cmp.Diff(describe(t, want), describe(t, got)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", record, diff)
		}
	}
	if v.expect != "read" {
		b, err := signalr.JSON{}.Append([]byte("before"), want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before"+string(v.json), string(b)); diff != "" {
			t.Errorf("Append (-want +got):\n%s", diff)
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
	tests := []struct{ name, text string }{
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
