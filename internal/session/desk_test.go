package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/internal/session"
	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// Ids of the product page's samples.
const (
	userText  = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	otherText = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	queueText = "cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3"
)

func guid(t testing.TB, s string) event.GUID {
	t.Helper()
	g, err := event.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A desk is a hub with the documented methods on a real socket, without a
// store: publish goes straight to the index.
type desk struct {
	t       testing.TB
	url     string
	cat     *event.Catalog
	handler *session.Handler
	hub     *hub.Server

	mu        sync.Mutex
	principal *auth.Principal // whoever connects next
	store     *journaltest.Store
}

func newDesk(t testing.TB, o session.Options) *desk {
	t.Helper()
	d := &desk{t: t, cat: event.NewCatalog()}
	d.store = journaltest.New(d.cat)
	index := fanout.New(d.cat, fanout.Options{Plain: true, CatalogNames: o.CatalogNames, Store: d.store})
	d.handler = session.New(d.cat, index, o)
	d.hub = hub.New(hub.Options{
		Methods: d.handler.Methods(), OnConnected: d.handler.Connected, OnDisconnected: d.handler.Disconnected, MaxMessageBytes: 256 << 10,
	})
	h := transport.NewHandler(d.hub.Accept, transport.Options{Authenticate: func(*http.Request) (any, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.principal, nil
	}})
	server := httptest.NewServer(transport.Mount("/rte", h, http.NotFoundHandler()))
	d.url = server.URL + "/rte"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Close()
		d.hub.Drain(ctx, 0)
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		d.hub.Close()
		if s := index.Stats(); s.Members != 0 || s.Subscriptions != 0 {
			t.Errorf("the index still has %+v", s)
		}
		index.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return d
}

// A visitor is one connected client.
type visitor struct {
	*client.Client
	t      testing.TB
	pushes chan string // arguments of MessageReceived and Notice
}

func (d *desk) visit(p *auth.Principal) *visitor {
	d.t.Helper()
	d.mu.Lock()
	d.principal = p
	d.mu.Unlock()
	v := &visitor{t: d.t, pushes: make(chan string, 1000)}
	hear := func(args []signalr.Value) {
		var raw json.RawMessage
		if err := signalr.Decode(args[0], &raw); err != nil {
			raw = json.RawMessage(err.Error())
		}
		v.pushes <- string(raw)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	var err error
	v.Client, err = client.Dial(ctx, d.url, map[string]func([]signalr.Value){"MessageReceived": hear, "Notice": hear}, client.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { v.Close() }) //nolint:errcheck // it never fails
	return v
}

// call invokes a method with arguments given as JSON text and returns the
// result as JSON text, or the error's text.
func (v *visitor) call(method string, args ...string) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 10*time.Second)
	defer cancel()
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = signalr.RawJSON([]byte(a))
	}
	value, err := v.Invoke(ctx, method, list...)
	if err != nil {
		return "error: " + err.Error()
	}
	b, err := value.AppendJSON(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(b)
}

// next is the next push.
func (v *visitor) next() string {
	v.t.Helper()
	select {
	case p := <-v.pushes:
		return p
	case <-v.Done():
		return fmt.Sprintf("connection ended: %v", v.Err())
	case <-time.After(10 * time.Second):
		return "no push within 10 s"
	}
}

func (d *desk) publish(org event.GUID, name, entity, data string) {
	d.t.Helper()
	typ, ok := d.cat.Lookup(name)
	if !ok {
		d.t.Fatalf("no event %s", name)
	}
	d.store.Publish(&event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: guid(d.t, entity)}}, Data: []byte(data)})
}

func user(t testing.TB, org event.GUID) *auth.Principal {
	return &auth.Principal{User: guid(t, userText), Org: org, Queues: auth.NewSet(guid(t, queueText))}
}
