package fanout_test

import (
	"context"
	"testing"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
)

// frames remembers what it was sent.
type frames []*signalr.Frame

func (s *frames) Send(f *signalr.Frame) { *s = append(*s, f) }

// Room is that of a client that is not slow (fanout.Subscriber).
func (*frames) Room() int { return 1 << 20 }

func (s *frames) Offer(_ context.Context, f *signalr.Frame) error {
	s.Send(f)
	return nil
}

// TestPairOf: a push says what it is about, and nothing else does.
func TestPairOf(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{})
	var got frames
	m, err := x.Join(t.Context(), event.GUID{1}, event.GUID{}, &got)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave()
	want := event.Pair{Kind: kind(t, "QueueStatus"), Entity: event.GUID{7}}
	subscribe(t, m, nil, want)
	l.Publish(&event.Event{Topic: event.Topic{Org: event.GUID{1}, Pair: want}, Data: []byte(`{}`)})
	if len(got) != 1 {
		t.Fatalf("%d frames", len(got))
	}
	if pair, ok := fanout.PairOf(got[0]); !ok || pair != want {
		t.Errorf("got %v, %v, want %v", pair, ok, want)
	}
	for _, m := range []signalr.Message{
		&signalr.Ping{}, &signalr.Invocation{Target: "MessageReceived"}, &signalr.Invocation{Target: "Notice", Arguments: []signalr.Value{signalr.Null}},
	} {
		if pair, ok := fanout.PairOf(signalr.NewFrame(m)); ok {
			t.Errorf("%T is a push about %v", m, pair)
		}
	}
}
