package fanout_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
)

// packedClient remembers what it was sent in MessagePack.
type packedClient struct{ got [][]byte }

func (c *packedClient) Send(f *signalr.Frame) {
	b, err := f.Bytes(signalr.MessagePack{})
	if err != nil {
		b = []byte(err.Error())
	}
	c.got = append(c.got, b)
}

// Room is that of a client that is not slow (fanout.Subscriber).
func (*packedClient) Room() int { return 1 << 20 }

func (c *packedClient) Offer(_ context.Context, f *signalr.Frame) error {
	c.Send(f)
	return nil
}

// packedPush is an event as a MessagePack client gets it, one line a value.
func packedPush(t *testing.T, o fanout.Options, name, data string, cause ...string) string {
	t.Helper()
	x, l := newIndex(t, o)
	to := &packedClient{}
	org := event.GUID{1}
	m, err := x.Join(t.Context(), org, event.GUID{}, to)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave()
	e := &event.Event{
		Topic:  event.Topic{Org: org, Pair: event.Pair{Kind: kind(t, name), Entity: event.GUID{0xa1, 15: 9}}},
		Data:   []byte(data),
		Time:   time.Date(2026, 11, 22, 9, 8, 7, 6_500_000, time.FixedZone("", 7200)),
		Cursor: "abc",
		Cause:  strings.Join(cause, ""),
	}
	subscribe(t, m, nil, e.Pair)
	l.Publish(e)
	if len(to.got) != 1 {
		t.Fatalf("%d pushes, want one", len(to.got))
	}
	record, taken, err := signalr.MessagePack{}.Split(to.got[0], 0)
	if err != nil || taken != len(to.got[0]) {
		t.Fatalf("%q is not one record: %d, %v", to.got[0], taken, err)
	}
	if _, err := (signalr.MessagePack{}).Parse(record); err != nil {
		t.Fatal(err)
	}
	d := &dumper{b: record}
	d.value("")
	if len(d.b) != 0 {
		t.Fatalf("%d bytes behind the message", len(d.b))
	}
	return d.out.String()
}

// payload is the part of a push between Data and Cursor, without hex.
func payload(t *testing.T, o fanout.Options, name, data string) string {
	t.Helper()
	o.Plain = true
	_, dump, ok := strings.Cut(packedPush(t, o, name, data), "Data\"\n")
	if camel := !ok; camel {
		_, dump, _ = strings.Cut(packedPush(t, o, name, data), "data\"\n")
	}
	var lines []string
	for line := range strings.Lines(dump) {
		_, text, _ := strings.Cut(line, "| ")
		lines = append(lines, strings.TrimSpace(text))
	}
	return strings.Join(lines[:len(lines)-1], " ") // the last is the list of streams
}

func TestPackedCause(t *testing.T) {
	t.Parallel()
	for camel, want := range map[bool]string{false: `"Cause" "abb"`, true: `"cause" "abb"`} {
		var words []string
		for line := range strings.Lines(packedPush(t, fanout.Options{CamelMessagePack: camel}, "UserStatus", "{}", "abb")) {
			if _, text, _ := strings.Cut(line, "| "); strings.HasPrefix(strings.TrimSpace(text), `"`) {
				words = append(words, strings.TrimSpace(text))
			}
		}
		if got := strings.Join(words[max(0, len(words)-2):], " "); got != want {
			t.Errorf("end of the push is %s, want %s", got, want)
		}
	}
}

func TestPackedNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		o    fanout.Options
		want string // all text of the envelope, in order
	}{
		{"default", fanout.Options{}, "MessageReceived Subscription EntityId a1000000-0000-0000-0000-000000000009 EventName userstatus Data Cursor abc Time 2026-11-22T07:08:07.006Z"},
		{"plain", fanout.Options{Plain: true}, "MessageReceived Subscription EntityId a1000000-0000-0000-0000-000000000009 EventName userstatus Data"},
		{"catalogue names", fanout.Options{Plain: true, CatalogNames: true}, "MessageReceived Subscription EntityId a1000000-0000-0000-0000-000000000009 EventName UserStatus Data"},
		{"camel", fanout.Options{CamelMessagePack: true}, "MessageReceived subscription entityId a1000000-0000-0000-0000-000000000009 eventName userstatus data cursor abc time 2026-11-22T07:08:07.006Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var words []string
			for line := range strings.Lines(packedPush(t, c.o, "UserStatus", "{}")) {
				_, text, _ := strings.Cut(line, "| ")
				text = strings.TrimSpace(text)
				if s, ok := strings.CutPrefix(text, "date "); ok {
					words = append(words, s)
				} else if strings.HasPrefix(text, `"`) {
					words = append(words, strings.Trim(text, `"`))
				}
			}
			if d := cmp.Diff(c.want, strings.Join(words, " ")); d != "" {
				t.Errorf("envelope (-want +got):\n%s", d)
			}
		})
	}
}

func TestPackedPayload(t *testing.T) {
	t.Parallel()
	date := func(text string) string { return `{"creationTime":` + text + `}` }
	for _, c := range []struct{ name, event, data, want string }{
		{"Guids are text", "UserStatus", `{"userId":"a1000000-0000-0000-0000-000000000009"}`, `map of 1 "UserId" "a1000000-0000-0000-0000-000000000009"`},
		{"unknown members keep name and value", "UserStatus", `{"newThing":{"a":[1,null,1.5,"2026-01-01T00:00:00Z"]},"Other":1e400}`, `map of 2 "newThing" map of 1 "a" array of 4 1 nil 1.5 "2026-01-01T00:00:00Z" "Other" +Inf`},
		{"null", "CallbackChanged", `{"assignedUserId":null,"creationTime":null,"callbackAttempts":null,"unknown":null}`, `map of 4 "AssignedUserId" nil "CreationTime" nil "CallbackAttempts" nil "unknown" nil`},
		{"nothing", "UserStatus", ` { } `, `map of 0`},
		{"a date", "CallbackChanged", date(`"2026-11-22T07:08:07Z"`), `map of 1 "CreationTime" date 2026-11-22T07:08:07Z`},
		{"a date without a zone is UTC", "CallbackChanged", date(`"2026-11-22T07:08:07.5"`), `map of 1 "CreationTime" date 2026-11-22T07:08:07.5Z`},
		{"a date of another zone", "CallbackChanged", date(`"2026-11-22T09:08:07+02:00"`), `map of 1 "CreationTime" date 2026-11-22T07:08:07Z`},
		{"the last moment of .NET", "CallbackChanged", date(`"9999-12-31T23:59:59.9999999"`), `map of 1 "CreationTime" date 9999-12-31T23:59:59.9999999Z`},
		{"the first moment of .NET", "CallbackChanged", date(`"0001-01-01T00:00:00"`), `map of 1 "CreationTime" date 0001-01-01T00:00:00Z`},
		{"what is no date stays text", "CallbackChanged", date(`"soon"`), `map of 1 "CreationTime" "soon"`},
		{"a day", "CallbackChanged", date(`"2026-11-22"`), `map of 1 "CreationTime" date 2026-11-22T00:00:00Z`},
		{"a date without seconds", "CallbackChanged", date(`"2026-11-22T07:08"`), `map of 1 "CreationTime" date 2026-11-22T07:08:00Z`},
		{"a date with an escape", "CallbackChanged", date(`"2026-11-22T09:08:07\u002B02:00"`), `map of 1 "CreationTime" date 2026-11-22T07:08:07Z`},
		{"half a date too", "CallbackChanged", date(`"2026-11"`), `map of 1 "CreationTime" "2026-11"`},
		{"an empty one too", "CallbackChanged", date(`""`), `map of 1 "CreationTime" ""`},
		{"a number for a date", "CallbackChanged", date(`5`), `map of 1 "CreationTime" 5`},
		{"a list of helpers", "QueueAttachedUsers", `{"attachedUsers":[{"userId":"x","more":1},null,{}]}`, `map of 1 "AttachedUsers" array of 3 map of 2 "UserId" "x" "more" 1 nil map of 0`},
		{"an empty list", "QueueAttachedUsers", `{"attachedUsers":[]}`, `map of 1 "AttachedUsers" array of 0`},
		{"white space and escapes", "UserStatus", "{ \"userId\" :\n\"\\u0041\" }", `map of 1 "UserId" "A"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(c.want, payload(t, fanout.Options{}, c.event, c.data)); d != "" {
				t.Errorf("payload (-want +got):\n%s", d)
			}
		})
	}
	const want = `map of 2 "attachedUsers" array of 1 map of 1 "userId" "x" "Kept" 1`
	if d := cmp.Diff(want, payload(t, fanout.Options{CamelMessagePack: true}, "QueueAttachedUsers", `{"attachedUsers":[{"userId":"x"}],"Kept":1}`)); d != "" {
		t.Errorf("camel payload (-want +got):\n%s", d)
	}
}

// Every field of every event has its declared name, or with camel the name it
// has in JSON.
func TestPackedNamesOfEveryField(t *testing.T) {
	t.Parallel()
	for _, typ := range event.NewCatalog().Events {
		data := string(event.JoinMembers(typ.Sample(event.GUID{1}, event.GUID{2})))
		declared := payload(t, fanout.Options{}, typ.Name, data)
		camel := payload(t, fanout.Options{CamelMessagePack: true}, typ.Name, data)
		for i := range typ.Fields {
			f := &typ.Fields[i]
			if !strings.Contains(declared, `"`+f.Name+`"`) || !strings.Contains(camel, `"`+f.WireName+`"`) {
				t.Errorf("%s: no %s in %s, or no %s in %s", typ.Name, f.Name, declared, f.WireName, camel)
			}
		}
	}
}

// Three whole pushes, byte by byte.
func TestPackedGolden(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, name := range []string{"UserAvailability", "QueueAttachedUsers", "CallbackChanged"} {
		typ, _ := event.NewCatalog().Lookup(name)
		data := event.JoinMembers(typ.Sample(event.GUID{1}, event.GUID{0xa1, 15: 9}))
		fmt.Fprintf(&got, "# %s\n%s\n", name, packedPush(t, fanout.Options{}, name, string(data)))
	}
	const file = "testdata/pushes.msgpack.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("pushes (-%s +got):\n%s\nif the change is meant, the new content is:\n%s", file, d, got.String())
	}
}

// A dumper writes MessagePack as lines: the bytes in hex, and what they say.
type dumper struct {
	b   []byte
	out strings.Builder
}

func (d *dumper) line(indent string, n int, format string, args ...any) {
	fmt.Fprintf(&d.out, "%s%x | %s%s\n", indent, d.b[:n], indent, fmt.Sprintf(format, args...))
	d.b = d.b[n:]
}

// number is the big-endian number of n bytes behind the first.
func (d *dumper) number(n int) uint64 {
	var full [8]byte
	copy(full[8-n:], d.b[1:1+n])
	return binary.BigEndian.Uint64(full[:])
}

func (d *dumper) value(indent string) {
	const inner = "  "
	switch c := d.b[0]; {
	case c < 0x80 || c >= 0xe0:
		d.line(indent, 1, "%d", int8(c))
	case c&0xf0 == 0x80, c == 0xde:
		n, head := int(c&0x0f), 1
		if c == 0xde {
			n, head = int(d.number(2)), 3
		}
		d.line(indent, head, "map of %d", n)
		for range n {
			d.value(indent + inner)
			d.value(indent + inner)
		}
	case c&0xf0 == 0x90:
		d.line(indent, 1, "array of %d", c&0x0f)
		for range c & 0x0f {
			d.value(indent + inner)
		}
	case c&0xe0 == 0xa0:
		n := 1 + int(c&0x1f)
		d.line(indent, n, "%q", d.b[1:n])
	case c == 0xd9:
		n := 2 + int(d.b[1])
		d.line(indent, n, "%q", d.b[2:n])
	case c == 0xc0:
		d.line(indent, 1, "nil")
	case c == 0xc2, c == 0xc3:
		d.line(indent, 1, "%t", c == 0xc3)
	case c == 0xcb:
		d.line(indent, 9, "%v", math.Float64frombits(d.number(8)))
	case c >= 0xcc && c <= 0xcf:
		n := 1 << (c - 0xcc)
		d.line(indent, 1+n, "%d", d.number(n))
	case c == 0xd6, c == 0xd7, c == 0xc7:
		d.date(indent, c)
	default:
		d.line(indent, len(d.b), "unknown byte %x", c)
	}
}

// date is a timestamp; its seconds and nanoseconds are read here once more,
// by the words of the MessagePack specification.
func (d *dumper) date(indent string, c byte) {
	seconds, nanos, size := int64(binary.BigEndian.Uint32(d.b[2:])), int64(0), 6
	switch c {
	case 0xd7:
		n := binary.BigEndian.Uint64(d.b[2:])
		seconds, nanos, size = int64(n&(1<<34-1)), int64(n>>34), 10
	case 0xc7:
		nanos, seconds, size = int64(binary.BigEndian.Uint32(d.b[3:])), int64(binary.BigEndian.Uint64(d.b[7:])), 15
	}
	d.line(indent, size, "date %s", time.Unix(seconds, nanos).UTC().Format(time.RFC3339Nano))
}
