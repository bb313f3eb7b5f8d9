package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/ingest"
	"rte/internal/node"
	"rte/signalr"
)

// A pipeline is the way of an event without the network: the check, the
// store, fan-out and both encodings.
type pipeline struct {
	cat    *event.Catalog
	bus    *bus.Bus
	index  *fanout.Index
	frames chan *signalr.Frame
	sent   int
}

// newPipeline makes one with every event in a mode of the check.
func newPipeline(tb testing.TB, mode event.Check) *pipeline {
	tb.Helper()
	p := &pipeline{cat: event.NewCatalog(), frames: make(chan *signalr.Frame, 1)}
	for _, t := range p.cat.Events {
		t.Check = mode
	}
	var err error
	if p.bus, err = bus.Open(tb.Context(), p.cat, bus.Options{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.bus.Close(context.Background()) })
	p.index = fanout.New(p.cat, fanout.Options{Store: node.Store(p.bus), CamelMessagePack: true})
	return p
}

// Send takes what a client would be sent (fanout.Subscriber).
func (p *pipeline) Send(f *signalr.Frame) { p.frames <- f }

// Room is that of a client that is not slow (fanout.Subscriber).
func (*pipeline) Room() int { return 1 << 20 }

// Offer is Send: there is room.
func (p *pipeline) Offer(_ context.Context, f *signalr.Frame) error {
	p.Send(f)
	return nil
}

// through sends an accepted event the whole way and returns its frame.
func (p *pipeline) through(t *testing.T, e *event.Event) *signalr.Frame {
	t.Helper()
	m, err := p.index.Join(t.Context(), e.Org, event.GUID{}, p)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave()
	if err := m.Subscribe(t.Context(), []fanout.Join{{Pair: e.Pair}}, nil, func([]fanout.Joined) {}); err != nil {
		t.Fatal(err)
	}
	sent := *e
	if p.sent++; sent.ID != "" {
		sent.ID += fmt.Sprint(" ", p.sent) // the fuzzer says the same one again and again
	}
	if errs := p.bus.Publish(t.Context(), []*event.Event{&sent}); errs != nil {
		t.Fatalf("the store refuses %+v: %v", e, errs)
	}
	select {
	case f := <-p.frames:
		return f
	case <-time.After(10 * time.Second):
		t.Fatalf("%+v did not come through the live lane", e)
	}
	return nil
}

// Whatever the door accepts, in any mode of the check, is stored, comes out,
// is read by JSON and MessagePack clients, and says the same to both.
func FuzzAccepted(f *testing.F) {
	files, err := filepath.Glob("../event/testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		g := readGolden(f, file)
		f.Add(false, []byte(fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":%s}`, g.org, g.entity, g.name, g.pascal)))
	}
	envelope := `{"organizationId":"` + orgA.String() + `","entityId":"` + userText + `","id":"a\u00e4 %%","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","time":"9999-12-31T23:59:59.9999999","eventName":"UserAvailability","data":`
	for _, data := range []string{
		`{"endTime":"2026-11-22"}`, `{"endTime":"2026-11-22T10:00:00.123456789\u002B02:00"}`, `{"endTime":"0001-01-01T00:00"}`, `{"endTime":5,"userName":[{}],"availability":"x"}`,
		`{"x":1e999,"y":-0,"z":123456789012345678901234567890,"w":18446744073709551615,"v":-9223372036854775808,"u":0.1e-999}`,
		`{"x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`, `{"x":` + strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60) + `}`,
		`{"\u0000":"\u0000\ud83d\ude00\u2028","` + strings.Repeat("n", 300) + `":"` + strings.Repeat("v", 70_000/2) + `"}`, `{"":{"":""}}`, `{"Kelvin":"\u212a","\u212aelvin2":1}`,
	} {
		f.Add(false, []byte(envelope+data+`}`))
		f.Add(true, []byte(envelope+data+`}`))
	}
	list := strings.Replace(envelope, "UserAvailability", "QueueAttachedUsers", 1)
	f.Add(true, []byte(list+`{"attachedUsers":[5,null,{"active":"x","Extra":[1]},[],"x"]}}`))
	f.Add(true, []byte(list+`{"attachedUsers":{"a":1}}}`))

	pipelines := map[bool]*pipeline{false: newPipeline(f, event.Enforce), true: newPipeline(f, event.Warn)}
	f.Fuzz(func(t *testing.T, warn bool, text []byte) {
		p := pipelines[warn]
		e, err := ingest.ReadEnvelope(p.cat, text, 0)
		if err != nil {
			return
		}
		frame := p.through(t, e)
		data := jsonData(t, frame)
		if !bytes.Equal(data, e.Data) {
			t.Fatalf("data left the door as %s and came out as %s", e.Data, data)
		}
		var plain any
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&plain); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		packed := packedData(t, frame)
		if why := differ(plain, packed); why != "" {
			t.Fatalf("JSON clients get %s\nMessagePack clients %v\n%s", data, packed, why)
		}
	})
}

// jsonData is data as a JSON client reads it, which stops at 64 levels.
func jsonData(t *testing.T, f *signalr.Frame) json.RawMessage {
	t.Helper()
	b, err := f.Bytes(signalr.JSON{})
	if err != nil {
		t.Fatal(err)
	}
	record, taken, err := signalr.JSON{}.Split(b, 0)
	if err != nil || taken != len(b) {
		t.Fatalf("%q is not one record: %v", b, err)
	}
	m, err := signalr.JSON{}.Parse(record)
	if err != nil {
		t.Fatalf("a client cannot read %q: %v", record, err)
	}
	var push struct{ Data json.RawMessage }
	if err := signalr.Decode(m.(*signalr.Invocation).Arguments[0], &push); err != nil {
		t.Fatal(err)
	}
	return push.Data
}

// packedData is data as a MessagePack client reads it: with a decoder that is
// not ours, after ours has found nothing wrong.
func packedData(t *testing.T, f *signalr.Frame) any {
	t.Helper()
	b, err := f.Bytes(signalr.MessagePack{})
	if err != nil {
		t.Fatal(err)
	}
	record, taken, err := signalr.MessagePack{}.Split(b, 0)
	if err != nil || taken != len(b) {
		t.Fatalf("%q is not one record: %v", b, err)
	}
	if _, err := (signalr.MessagePack{}).Parse(record); err != nil {
		t.Fatalf("a client cannot read %q: %v", record, err)
	}
	d := msgpack.NewDecoder(bytes.NewReader(record))
	d.UseLooseInterfaceDecoding(true)
	message, err := d.DecodeSlice()
	if err != nil {
		t.Fatalf("%q: %v", record, err)
	}
	return message[4].([]any)[0].(map[string]any)["data"]
}

// differ says where a value in JSON and one in MessagePack are not the same.
func differ(plain, packed any) string {
	switch v := plain.(type) {
	case map[string]any:
		m, ok := packed.(map[string]any)
		if !ok || len(m) != len(v) {
			return fmt.Sprintf("%v and %v", plain, packed)
		}
		for name, value := range v {
			if why := differ(value, m[name]); why != "" {
				return name + ": " + why
			}
		}
		return ""
	case []any:
		m, ok := packed.([]any)
		if !ok || len(m) != len(v) {
			return fmt.Sprintf("%v and %v", plain, packed)
		}
		for i := range v {
			if why := differ(v[i], m[i]); why != "" {
				return fmt.Sprint(i, ": ", why)
			}
		}
		return ""
	case string:
		if at, ok := packed.(time.Time); ok {
			if want, ok := event.ParseDateTime([]byte(v)); ok && want.Equal(at) {
				return ""
			}
		}
	case json.Number:
		if sameNumber(string(v), packed) {
			return ""
		}
		return fmt.Sprintf("%v and %v (%T)", plain, packed, packed)
	}
	if plain != packed {
		return fmt.Sprintf("%v and %v (%T)", plain, packed, packed)
	}
	return ""
}

func sameNumber(text string, packed any) bool {
	switch n := packed.(type) {
	case int64:
		want, err := strconv.ParseInt(text, 10, 64)
		return err == nil && want == n
	case uint64:
		want, err := strconv.ParseUint(text, 10, 64)
		return err == nil && want == n
	case float64:
		want, _ := strconv.ParseFloat(text, 64) // infinite beyond its range, as in a browser
		return want == n
	}
	return false
}
