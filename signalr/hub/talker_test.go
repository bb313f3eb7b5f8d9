package hub_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A way is a pair of transport and protocol.
type way struct {
	transport transport.Transport
	protocol  signalr.Protocol
}

// pinged are the ways on which both sides ping, ways are all.
var (
	pinged = []way{
		{transport.WebSockets, signalr.JSON{}},
		{transport.WebSockets, signalr.MessagePack{}},
		{transport.ServerSentEvents, signalr.JSON{}},
	}
	ways = append([]way{
		{transport.LongPolling, signalr.JSON{}},
		{transport.LongPolling, signalr.MessagePack{}},
	}, pinged...)
)

// everyBubble runs a test body for each pair, in a bubble of its own; at makes a
// site there, and clients come by meet. What belongs to one transport or
// encoding, frames and the like, is tested with inBubble.
func everyBubble(t *testing.T, body func(t *testing.T, at func(hub.Options) *site)) {
	t.Helper()
	bubbles(t, ways, body)
}

func bubbles(t *testing.T, ways []way, body func(t *testing.T, at func(hub.Options) *site)) {
	t.Helper()
	t.Parallel()
	for _, way := range ways {
		t.Run(way.transport.String()+"/"+way.protocol.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body(t, func(o hub.Options) *site {
					s := newSite(t, o)
					s.way, s.protocol = way.transport, way.protocol
					return s
				})
			})
		})
	}
}

// everywhere is everyBubble with the site made.
func everywhere(t *testing.T, options func() hub.Options, body func(s *site)) {
	t.Helper()
	everyBubble(t, func(_ *testing.T, at func(hub.Options) *site) { body(at(options())) })
}

// everywhereNamed is everywhere as a subtest.
func everywhereNamed(t *testing.T, name string, options func() hub.Options, body func(s *site)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { everywhere(t, options, body) })
}

// wherePinged is everywhere, but where clients poll.
func wherePinged(t *testing.T, options func() hub.Options, body func(s *site)) {
	t.Helper()
	bubbles(t, pinged, func(_ *testing.T, at func(hub.Options) *site) { body(at(options())) })
}

// polls reports whether clients fetch what there is for them: who does not come
// for 15 seconds has gone, and nobody is pinged.
func (s *site) polls() bool { return s.way == transport.LongPolling }

// while is how long clients here may do nothing, to see what does not happen.
func (s *site) while() time.Duration {
	if s.polls() {
		return 10 * time.Second
	}
	return time.Minute
}

// lost is how the hub learns of a client that vanishes.
func (s *site) lost() (after time.Duration, why hub.CloseReason, failed bool) {
	switch s.way {
	case transport.LongPolling:
		return 15 * time.Second, hub.Goodbye, false
	case transport.ServerSentEvents: // to stop looks the same
		return 0, hub.Goodbye, false
	}
	return 0, hub.Lost, true
}

// lostEntry is that in a diary.
func (s *site) lostEntry() string {
	_, why, failed := s.lost()
	if failed {
		return "disconnected " + string(why) + ", with an error"
	}
	return "disconnected " + string(why)
}

// arrive makes a connection the way this site is reached; the handshake is still
// to come.
func (s *site) arrive() *talker {
	s.Helper()
	return s.talk(s.way, s.protocol)
}

// meet makes a connection and shakes hands.
func (s *site) meet() *talker {
	s.Helper()
	return s.arrive().shaking()
}

// talk is arrive, some other way.
func (s *site) talk(way transport.Transport, protocol signalr.Protocol) *talker {
	s.Helper()
	k := &talker{T: s.T, protocol: protocol}
	switch way {
	case transport.WebSockets:
		k.carrier = &socketCarrier{wire: s.open(), binary: protocol.Binary()}
	case transport.ServerSentEvents:
		k.carrier = s.eventCarrier()
	default:
		k.carrier = s.pollCarrier()
	}
	return k
}

// shaking shakes hands.
func (k *talker) shaking() *talker {
	k.Helper()
	k.greet()
	k.expect("{}")
	return k
}

// greet sends the handshake, and records behind it in the same message.
func (k *talker) greet(records ...string) {
	k.Helper()
	b := signalr.AppendHandshakeRequest(nil, signalr.HandshakeRequest{Protocol: k.protocol.Name(), Version: 1})
	k.raw(append(b, k.encode(records...)...))
}

// A talker speaks a protocol over a carrier. What it says and hears is written
// as JSON records whatever the protocol is.
type talker struct {
	*testing.T
	carrier
	protocol signalr.Protocol
	heard    []string
	shaken   bool
}

// send sends records as one transport message.
func (k *talker) send(records ...string) {
	k.Helper()
	k.raw(k.encode(records...))
}

// begin sends records meanwhile; taken waits until they have been.
func (k *talker) begin(records ...string) (taken func()) {
	k.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.send(records...)
	}()
	return func() { <-done }
}

// encode writes records in the talker's protocol.
func (k *talker) encode(records ...string) (b []byte) {
	k.Helper()
	for _, record := range records {
		m, err := signalr.JSON{}.Parse([]byte(record))
		if err == nil {
			b, err = k.protocol.Append(b, m)
		}
		if err != nil {
			k.Fatal(err)
		}
	}
	return b
}

// raw sends bytes as one transport message.
func (k *talker) raw(p []byte) {
	k.Helper()
	if err := k.write(p); err != nil {
		k.Fatal(err)
	}
}

// closed expects the end; over a WebSocket it comes with a status, 0 for none.
func (k *talker) closed(status ws.StatusCode) {
	k.Helper()
	k.expect("end")
	if c, ok := k.carrier.(*socketCarrier); ok && c.status != status {
		k.Errorf("closed with status %d, want %d", c.status, status)
	}
}

// receive is the next record, or "end".
func (k *talker) receive() string {
	k.Helper()
	for len(k.heard) == 0 {
		p, err := k.read()
		if errors.Is(err, io.EOF) {
			return "end"
		}
		if err != nil {
			k.Fatal(err)
		}
		if !k.shaken { // the answer is JSON in each protocol
			text, taken := signalr.SplitHandshake(p)
			if taken == 0 {
				k.Fatalf("the handshake's answer is %q", p)
			}
			k.shaken = true
			k.heard = append(k.heard, string(text))
			p = p[taken:]
		}
		var reader signalr.Reader
		err = reader.Feed(k.protocol, 1<<20, p, func(b []byte) error {
			m, err := k.protocol.Parse(bytes.Clone(b))
			if err != nil {
				return err
			}
			record, err := signalr.JSON{}.Append(nil, m)
			k.heard = append(k.heard, strings.TrimSuffix(string(record), "\x1e"))
			return err
		})
		if err != nil {
			k.Fatalf("received %q: %v", p, err)
		}
	}
	record := k.heard[0]
	k.heard = k.heard[1:]
	return record
}

func (k *talker) expect(records ...string) {
	k.Helper()
	for _, want := range records {
		if got := k.receive(); got != want {
			k.Fatalf("received %s\n    want %s", got, want)
		}
	}
}

// vital is the next record that is no ping.
func (k *talker) vital() string {
	k.Helper()
	record := k.receive()
	for record == ping {
		record = k.receive()
	}
	return record
}
