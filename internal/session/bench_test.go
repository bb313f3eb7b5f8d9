package session_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/internal/session"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// BenchmarkSubscribe is one Subscribe and one UnsubscribeAll over a connection
// in memory, from the client's frame to the answer's last byte.
func BenchmarkSubscribe(b *testing.B) {
	for _, items := range []int{1, 50} {
		b.Run(fmt.Sprint("items=", items), func(b *testing.B) {
			cat := event.NewCatalog()
			index := fanout.New(cat, fanout.Options{Store: journaltest.New(cat)})
			handler := session.New(cat, index, session.Options{})
			h := hub.New(hub.Options{
				Methods: handler.Methods(), OnConnected: handler.Connected, OnDisconnected: handler.Disconnected, MaxMessageBytes: 256 << 10,
			})
			principal := &auth.Principal{Org: event.GUID{1}, User: event.GUID{2}, Role: auth.Supervisor}
			t := transport.NewHandler(h.Accept, transport.Options{Authenticate: func(*http.Request) (any, error) { return principal, nil }})
			server := signalrtest.NewServer(transport.Mount("/rte", t, http.NotFoundHandler()))
			d := ws.Dialer{NetDial: server.Network.Dial}
			end, _, _, err := d.Dial(context.Background(), "ws://hub.test/rte")
			if err != nil {
				b.Fatal(err)
			}
			exchange := func(text string) (answer string) {
				if err := ws.WriteFrame(end, ws.MaskFrame(ws.NewTextFrame([]byte(text+"\x1e")))); err != nil {
					b.Fatal(err)
				}
				head, err := ws.ReadHeader(end)
				if err != nil {
					b.Fatal(err)
				}
				body := make([]byte, head.Length)
				if _, err := io.ReadFull(end, body); err != nil {
					b.Fatal(err)
				}
				return string(body)
			}
			exchange(`{"protocol":"json","version":1}`)
			var list []string
			for i := range items {
				list = append(list, fmt.Sprintf(`{"EntityId":"cbeeb190-ff4b-ea11-ac9c-%012d","EventName":"QueueCallInArrived"}`, i))
			}
			subscribe := fmt.Sprintf(`{"type":1,"invocationId":"1","target":"Subscribe","arguments":[[%s]]}`, strings.Join(list, ","))
			if answer := exchange(subscribe); strings.Count(answer, `"subscribed":true`) != items {
				b.Fatal(answer)
			}
			b.ReportAllocs()
			for b.Loop() {
				exchange(`{"type":1,"invocationId":"2","target":"UnsubscribeAll","arguments":[]}`)
				exchange(subscribe)
			}
			end.Close()
			if err := t.Shutdown(context.Background()); err != nil {
				b.Fatal(err)
			}
			h.Close()
			server.Close()
			index.Close()
		})
	}
}
