package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A service is a small RTE, correct in itself, whose pushes a test may spoil.
type service struct {
	hub *hub.Server
	url string

	// spoil says what becomes of the n-th event of a pair on its way to the
	// c-th client; it runs under mu. nil hands it on.
	spoil func(client int, key string, n int, push signalr.Value) []signalr.Value
	// forget makes After always come too late.
	forget bool

	mu      sync.Mutex
	clients []*hub.Conn
	events  map[string][]json.RawMessage // data, by entity:event
	hearers map[string][]int             // indexes in clients
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{events: map[string][]json.RawMessage{}, hearers: map[string][]int{}}
	s.hub = hub.New(hub.Options{Methods: map[string]hub.Method{"Subscribe": s.subscribe}, MaxMessageBytes: 1 << 20})
	h := transport.NewHandler(s.hub.Accept, transport.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/events", s.publish)
	server := httptest.NewServer(transport.Mount("/rte", h, mux))
	s.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		h.Shutdown(context.Background()) //nolint:errcheck // nothing is left
		s.hub.Close()
		server.Close()
	})
	return s
}

func (s *service) subscribe(_ context.Context, call *hub.Call) (signalr.Value, error) {
	var items []struct {
		EntityID, EventName string
		After               *string
	}
	if err := call.Bind(&items); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	client := len(s.clients)
	s.clients = append(s.clients, call.Conn)
	type result struct {
		Subscribed bool   `json:"subscribed"`
		Recovered  bool   `json:"recovered"`
		Cursor     string `json:"cursor"`
	}
	var results []result
	for _, it := range items {
		key := it.EntityID + ":" + it.EventName
		results = append(results, result{true, it.After == nil || !s.forget, strconv.Itoa(len(s.events[key]))})
		s.hearers[key] = append(s.hearers[key], client)
	}
	call.Complete(signalr.Any(results))
	for _, it := range items {
		key := it.EntityID + ":" + it.EventName
		if it.After == nil || s.forget {
			continue
		}
		from, err := strconv.Atoi(*it.After)
		if err != nil {
			return nil, err
		}
		for n := from + 1; n <= len(s.events[key]); n++ {
			call.Conn.Send(frame(s.push(key, n)))
		}
	}
	return signalr.Null, nil
}

func frame(push signalr.Value) *signalr.Frame {
	return signalr.NewFrame(&signalr.Invocation{Target: "MessageReceived", Arguments: []signalr.Value{push}})
}

// push is the n-th event of a pair.
func (s *service) push(key string, n int) signalr.Value {
	entity, name, _ := strings.Cut(key, ":")
	return signalr.RawJSON(fmt.Appendf(nil, `{"subscription":{"entityId":%q,"eventName":%q},"data":%s,"cursor":"%d"}`, entity, name, s.events[key][n-1], n))
}

func (s *service) publish(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := bufio.NewScanner(r.Body)
	accepted := 0
	for ; lines.Scan(); accepted++ {
		var e struct {
			EntityID, EventName string
			Data                json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		key := e.EntityID + ":" + e.EventName
		s.events[key] = append(s.events[key], e.Data)
		n := len(s.events[key])
		for _, client := range s.hearers[key] {
			pushes := []signalr.Value{s.push(key, n)}
			if s.spoil != nil {
				pushes = s.spoil(client, key, n, pushes[0])
			}
			for _, p := range pushes {
				s.clients[client].Send(frame(p))
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"accepted":%d,"rejected":[]}`, accepted)
}

// drop closes every connection; clients come back.
func (s *service) drop() {
	for _, c := range s.hub.Conns() {
		c.Close("draining", "draining", true)
	}
}
