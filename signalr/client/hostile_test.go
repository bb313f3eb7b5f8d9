package client_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/signalrtest"
)

func TestHostileServer(t *testing.T) {
	head := func(b ...byte) []byte { return b }
	tests := []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"masked", append(head(0x81, 0x81, 1, 2, 3, 4), 'a'), "must be not masked"},
		{"compressed", append(head(0xc1, 1), 'a'), "non-zero rsv bits"},
		{"reserved opcode", head(0x83, 0), "reserved op code"},
		{"long ping", append(head(0x89, 126, 0, 200), make([]byte, 200)...), "control frame payload limit"},
		{"length with the top bit", head(0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0), "most significant bit"},
		{"bad message", append(head(0x81, 2), "x\x1e"...), "not JSON"},
		{"half a frame", append(head(0x81, 5), "x"...), "EOF"},
		{"close", append(head(0x88, 5), binary.BigEndian.AppendUint16(nil, 1001)[0], binary.BigEndian.AppendUint16(nil, 1001)[1], 'b', 'y', 'e'), "status 1001 bye"},
		{"nothing", nil, "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, conn, err := newFake(t).dial("{}\x1e", client.Options{})
				if err != nil {
					t.Fatal(err)
				}
				conn.Write(test.bytes)
				conn.(interface{ CloseWrite() error }).CloseWrite()
				<-c.Done()
				if err := c.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("ended with %v, want %s", err, test.want)
				}
			})
		})
	}
}

// A frame may announce any length; memory is only for what comes, and no more
// than the largest message. Not parallel: it reads the allocator's own count.
func TestHugeFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e", client.Options{MaxMessageBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		conn.Write(binary.BigEndian.AppendUint64([]byte{0x81, 127}, 1<<62))
		go func() {
			for { // without an end
				if _, err := conn.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
					return
				}
			}
		}()
		<-c.Done()
		runtime.ReadMemStats(&after)
		if !errors.Is(c.Err(), signalr.ErrTooLarge) {
			t.Errorf("ended with %v, want %v", c.Err(), signalr.ErrTooLarge)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("it allocated %d bytes for messages of 1 MiB at most", n)
		}
	})
}

// Servers of the other transports that misbehave.
func TestHostilePlainServer(t *testing.T) {
	endless := func(begin string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, begin)
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 10_000)); err != nil {
					return
				}
			}
		}
	}
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, text)
			http.NewResponseController(w).Flush()
			if status == http.StatusOK && strings.HasPrefix(text, "data") {
				<-r.Context().Done()
			}
		}
	}
	const shake = "data: {}\x1e\r\n\r\n"
	for _, test := range []struct {
		name      string
		transport client.Transport
		down      []http.HandlerFunc // what the GETs get, one after the other
		up        http.HandlerFunc   // what the POSTs get behind the handshake's
		want      string
	}{
		{"endless line", client.ServerSentEvents, []http.HandlerFunc{endless(shake + "data: ")}, nil, "message too large"},
		{"endless comment", client.ServerSentEvents, []http.HandlerFunc{endless(shake + ":")}, nil, "message too large"},
		{"end", client.ServerSentEvents, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, shake) }}, nil, "receive: EOF"},
		{"silence", client.ServerSentEvents, []http.HandlerFunc{say(200, shake)}, nil, "nothing heard"},
		{"POST refused", client.ServerSentEvents, []http.HandlerFunc{say(200, shake)}, say(404, "No Connection with that ID"), "send: status 404: No Connection with that ID"},
		{"endless answer", client.LongPolling, []http.HandlerFunc{say(200, ""), say(200, "{}\x1e"), endless("")}, nil, "message too large"},
		{"gone", client.LongPolling, []http.HandlerFunc{say(200, ""), say(200, "{}\x1e"), say(404, "")}, nil, "poll: status 404: Not Found"},
		{"over", client.LongPolling, []http.HandlerFunc{say(200, ""), say(200, "{}\x1e"), say(204, "")}, nil, "receive: EOF"},
		{"dead", client.LongPolling, []http.HandlerFunc{say(200, ""), say(200, "{}\x1e"), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}, nil, "poll: client: poll timed out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var mu sync.Mutex
				gets, posts := 0, 0
				server := signalrtest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					act := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
					switch {
					case strings.HasSuffix(r.URL.Path, "/negotiate"):
						act = say(200, offers+"}")
					case r.Method == http.MethodGet:
						act = test.down[min(gets, len(test.down)-1)]
						gets++
					case r.Method == http.MethodPost:
						if posts++; posts > 1 && test.up != nil {
							act = test.up
						}
					}
					mu.Unlock()
					io.Copy(io.Discard, r.Body)
					act(w, r)
				}))
				defer server.Close()
				c := client.New(server.URL, client.Options{HTTPClient: server.Client(), Transport: test.transport, MaxMessageBytes: 100_000})
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				<-c.Done()
				if err := c.Err(); !strings.Contains(err.Error(), test.want) || time.Since(begin) > 4*time.Minute {
					t.Errorf("ended with %v after %v, want %s", err, time.Since(begin), test.want)
				}
				c.Close()
			})
		})
	}
}

// A server that does not read holds the senders, not the reader, whatever it
// pings; when it reads again it gets the newest pong.
func TestReaderWaitsForNoWriter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e", client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		c.On("Push", func(args []signalr.Value) { got <- text(t, args[0]) })
		sent := async(func() {
			if err := c.Send(t.Context(), "Large", strings.Repeat("x", 200_000)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for _, p := range []string{"old", "new"} {
			ws.WriteFrame(conn, ws.NewPingFrame([]byte(p)))
			ws.WriteFrame(conn, ws.NewTextFrame([]byte(`{"type":1,"target":"Push","arguments":["`+p+"\"]}\x1e")))
			if g := <-got; g != p {
				t.Errorf("heard %s, want %s", g, p)
			}
		}
		<-time.After(5 * time.Second)
		for large := false; ; {
			f, err := readFrame(conn)
			if err != nil {
				t.Fatal(err)
			}
			large = large || f.Header.Length > 200_000
			if f.Header.OpCode == ws.OpPong {
				if p := string(f.Payload); p != "new" || !large {
					t.Errorf("pong %q, behind the message: %t", p, large)
				}
				break
			}
		}
		<-sent
	})
}

// Why the hub went is what the hub said, though somebody found out first that
// nothing can be sent any more.
func TestLastWordsCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client()})
		c.On("Push", func([]signalr.Value) { <-time.After(500 * time.Millisecond) })
		p := f.connect(c, 1)
		p.say(push("x"), `{"type":7,"error":"limit"}`)
		p.conn.Close()
		synctest.Wait()
		err := c.Send(t.Context(), "X")
		if e, ok := errors.AsType[*client.ServerError](err); !ok || e.Text != "limit" || !errors.Is(err, client.ErrLost) {
			t.Errorf("Send = %v, want the hub's words", err)
		}
		<-c.Done()
		if e, ok := errors.AsType[*client.ServerError](c.Err()); !ok || e.Text != "limit" {
			t.Errorf("ended with %v, want the hub's words", c.Err())
		}
	})
}

// Frames cut and joined in every way.
func TestFramesIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e{\"type\":1,\"targ", client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		c.On("Push", func(args []signalr.Value) { got <- text(t, args[0]) })
		long := strings.Repeat("y", 100_000)
		for _, f := range []ws.Frame{
			ws.NewFrame(ws.OpText, false, []byte(`et":"Push","argu`)),
			ws.NewPingFrame([]byte("inside")),
			ws.NewFrame(ws.OpContinuation, false, nil),
			ws.NewFrame(ws.OpContinuation, true, []byte("ments\":[\"x\"]}\x1e{\"type\":6}\x1e")),
			ws.NewBinaryFrame([]byte(`{"type":1,"target":"Push","arguments":["` + long + "\"]}\x1e")),
		} {
			if err := ws.WriteFrame(conn, f); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := <-got, <-got; a != "x" || b != long {
			t.Errorf("got %.20s and %.20s", a, b)
		}
	})
}
