package auth_test

import (
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"

	"rte/signalr/signalrtest"
)

// A far is an HTTP server on a network in memory: an issuer, or the platform's
// resolver. What it answers may change at any time.
type far struct {
	url     string // http://127.0.0.1/asked
	network *signalrtest.Network
	way     http.RoundTripper

	handling sync.WaitGroup

	mu     sync.Mutex
	answer http.HandlerFunc
	asked  int      // requests so far
	bodies []string // of these
}

// newFar starts a server. Made in a bubble, it belongs to it.
func newFar(t testing.TB, answer http.HandlerFunc) *far {
	t.Helper()
	f := &far{url: "http://127.0.0.1/asked", network: &signalrtest.Network{}, answer: answer}
	f.way = &http.Transport{DialContext: f.network.Dial, DisableKeepAlives: true}
	f.listen(t, "127.0.0.1:80")
	return f
}

func (f *far) listen(t testing.TB, address string) {
	t.Helper()
	l, err := f.network.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
		f.handling.Wait()
	})
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.handling.Add(1)
	defer f.handling.Done()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	f.asked++
	f.bodies = append(f.bodies, string(body))
	answer := f.answer
	f.mu.Unlock()
	answer(w, r)
}

func (f *far) say(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *far) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// text answers 200 with a text.
func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

func statusOnly(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// failures are the ways in which a far server can be of no use.
func failures() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"status 500": statusOnly(http.StatusInternalServerError),
		"status 429": statusOnly(http.StatusTooManyRequests),
		"garbage":    text("\x00\xff{{{"),
		"a page":     text("<!doctype html><title>Sign in</title>"),
		"an array":   text("[]"),
		"null":       text("null"),
		"nothing":    text(""),
		"cut off":    text(`{"keys":[{"kty":"EC"`),
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			for range 17 { // above 1 MiB
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return // it has heard enough
				}
			}
		},
		"slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slow in the middle": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"keys":[`)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}
