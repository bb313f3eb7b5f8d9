package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/client"
)

// stateful is a client with stateful reconnect and its peer.
func stateful(t *testing.T, o client.Options) (*client.Client, *fake, *peer) {
	t.Helper()
	f := newFake(t)
	f.answers(offers + `,"useStatefulReconnect":true}`)
	o.HTTPClient, o.StatefulReconnect = f.server.Client(), true
	c := client.New(f.server.URL+"/hub", o)
	return c, f, f.connect(c, 2)
}

// invoke calls a method beside the test; the outcome comes as text.
func invoke(t *testing.T, c *client.Client, target string) <-chan string {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		v, err := c.Invoke(t.Context(), target)
		if err != nil {
			done <- err.Error()
			return
		}
		done <- text(t, v)
	}()
	return done
}

func call(id, target string) string {
	return fmt.Sprintf(`{"type":1,"invocationId":"%s","target":"%s","arguments":[]}`, id, target)
}
func answer(id, value string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","result":"%s"}`, id, value)
}
func push(value string) string {
	return fmt.Sprintf(`{"type":1,"target":"Push","arguments":["%s"]}`, value)
}
func sequence(id int) string { return fmt.Sprintf(`{"type":9,"sequenceId":%d}`, id) }
func ack(id int) string      { return fmt.Sprintf(`{"type":8,"sequenceId":%d}`, id) }

// One loss with everything under way, as it looks on the wire.
func TestResume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens := 0
		var d diary
		o := client.Options{Reconnect: client.FourAttempts(), Token: func(context.Context) (string, error) {
			tokens++
			return fmt.Sprint("user", tokens), nil
		}}
		d.keep(&o)
		c, f, p := stateful(t, o)
		c.On("Push", func(args []signalr.Value) { d.note("%s", text(t, args[0])) })
		a := invoke(t, c, "A")
		p.expect(call("1", "A"))
		p.say(push("1"), `{"type":6}`, push("2"), answer("1", "a"))
		if got := <-a; got != "a" {
			t.Errorf("A = %s", got)
		}
		p.expect(ack(3)) // and only that, behind a second
		p.say(ack(1))
		b := invoke(t, c, "B")
		p.expect(call("2", "B"))
		p.say(push("3"))
		synctest.Wait()
		p.conn.Close()

		q := f.accept()
		synctest.Wait()
		cc := invoke(t, c, "C") // in the midst of it
		q.expect(sequence(2), call("2", "B"))
		q.expect(call("3", "C"))
		// Before the Sequence nothing counts, not even a Close.
		q.say(push("stray"), `{"type":7,"error":"stray"}`, `{"type":6}`)
		q.say(sequence(4), push("3"), push("4"), answer("2", "b"), answer("3", "c"))
		if b, cc := <-b, <-cc; b != "b" || cc != "c" {
			t.Errorf("B = %s, C = %s", b, cc)
		}
		q.expect(ack(7))
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, d.read()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		want := []string{
			"POST /hub/negotiate?negotiateVersion=1&useStatefulReconnect=true user1",
			"GET /hub?id=secret-token user1",
			"GET /hub?id=secret-token user2",
		}
		if diff := cmp.Diff(want, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		if c.ID() != "public" || c.State() != client.Connected {
			t.Errorf("the client is %q, %v", c.ID(), c.State())
		}

		// A second loss, when everything is acknowledged.
		q.say(ack(3))
		synctest.Wait()
		q.conn.Close()
		r := f.accept()
		r.expect(sequence(4))
		r.say(sequence(8))
		if err := c.Send(t.Context(), "D"); err != nil {
			t.Error(err)
		}
		r.expect(`{"type":1,"target":"D","arguments":[]}`)
		r.say(push("5"))
		r.expect(ack(8))
	})
}

// Duplicates are skipped, and acknowledged: the server has not heard that they
// came.
func TestDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d diary
		c, f, p := stateful(t, client.Options{})
		c.On("Push", func(args []signalr.Value) { d.note("%s", text(t, args[0])) })
		p.say(push("1"), push("2"), push("3"))
		p.expect(ack(3))
		p.conn.Close()
		q := f.accept()
		q.expect(sequence(1))
		q.say(sequence(1), push("1"), push("2"))
		q.expect(ack(3))
		q.say(push("3"))
		q.expect(ack(3))
		q.say(push("4"))
		q.expect(ack(4))
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, d.read()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		// Without anything new there is no Ack.
		for range 4 {
			<-time.After(10 * time.Second)
			q.say(`{"type":6}`)
		}
		if err := c.Send(t.Context(), "End"); err != nil {
			t.Error(err)
		}
		q.expect(`{"type":1,"target":"End","arguments":[]}`)
	})
}

// An Ack may reach the server before what it sends once more arrives here; if
// the link is lost between, the server goes on behind what was acknowledged.
func TestAckOvertakesReplay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d diary
		c, f, p := stateful(t, client.Options{})
		c.On("Push", func(args []signalr.Value) { d.note("%s", text(t, args[0])) })
		p.say(push("1"), push("2"))
		synctest.Wait()
		p.conn.Close()
		q := f.accept()
		q.expect(sequence(1))
		q.say(sequence(1))
		q.expect(ack(2))
		q.conn.Close()
		r := f.accept()
		r.expect(sequence(1))
		r.say(sequence(3), push("3"))
		r.expect(ack(3))
		if diff := cmp.Diff([]string{"1", "2", "3"}, d.read()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}

// However fast messages come, an Ack is sent once a second at most.
func TestAckRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, p := stateful(t, client.Options{})
		go func() {
			for range 1000 {
				p.say(push("x"))
				<-time.After(10 * time.Millisecond)
			}
		}()
		begin, acks, last := time.Now(), 0, 0
		for last < 1000 {
			record := p.hear()
			var id int
			if _, err := fmt.Sscanf(record, `{"type":8,"sequenceId":%d}`, &id); err != nil || id <= last {
				t.Fatalf("heard %s behind %d", record, last)
			}
			last = id
			acks++
		}
		if took := time.Since(begin); acks > int(took/time.Second)+1 || acks < 9 {
			t.Errorf("%d Acks in %v", acks, took)
		}
	})
}

// When resuming is not to be, or fails: one attempt at most, then what the
// policy says.
func TestNoResume(t *testing.T) {
	seq := func(q *peer, records ...string) { q.expect(sequence(1)); q.say(records...) }
	for _, test := range []struct {
		name  string
		end   func(*fake, *peer)
		peers []func(*peer) // what the sockets that are tried do
		lost  string        // a part of why the connection ended
		good  bool          // the connection was mended after all
		is    error
	}{
		{name: "close frame", end: func(_ *fake, p *peer) { p.conn.Write([]byte{0x88, 2, 3, 233}); p.conn.Close() }, lost: "status 1001"},
		{name: "Close", end: func(_ *fake, p *peer) { p.say(`{"type":7,"allowReconnect":true}`) }, lost: "the server closed the connection"},
		{name: "nonsense", end: func(_ *fake, p *peer) { p.say("nonsense") }, lost: "not JSON"},
		{name: "refused", end: func(f *fake, p *peer) { f.refuses(404); p.conn.Close() }, lost: "receive: "},
		{name: "lost before the Sequence", peers: []func(*peer){func(q *peer) { q.conn.Close() }}, lost: ": "},
		{name: "no Sequence", peers: []func(*peer){func(q *peer) {
			for range 3 { // it is alive, but
				q.say(`{"type":6}`)
				<-time.After(10 * time.Second)
			}
		}}, lost: "nothing heard", is: client.ErrServerTimeout},
		{name: "gap", peers: []func(*peer){func(q *peer) { seq(q, sequence(4)) }}, is: client.ErrSequence},
		{name: "no number", peers: []func(*peer){func(q *peer) { seq(q, sequence(0)) }}, is: client.ErrSequence},
		{name: "gap in the midst", end: func(_ *fake, p *peer) { p.say(sequence(2), push("1"), sequence(9)) }, is: client.ErrSequence},
		{name: "twice", peers: []func(*peer){
			func(q *peer) { seq(q, sequence(3)); synctest.Wait(); q.conn.Close() },
			func(q *peer) { seq(q, sequence(3)) },
		}, good: true},
		{name: "silence", end: func(*fake, *peer) { <-time.After(30 * time.Second) }, peers: []func(*peer){func(q *peer) { seq(q, sequence(3)) }}, good: true},
	} {
		for _, policy := range []client.Policy{nil, client.Delays(0)} {
			t.Run(fmt.Sprint(test.name, policy == nil), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					lost := make(chan error, 1)
					c, f, p := stateful(t, client.Options{Reconnect: policy, OnReconnecting: func(_ *client.Client, err error) { lost <- err }})
					f.requests()
					p.say(push("1"), push("2"))
					synctest.Wait()
					if test.end != nil {
						test.end(f, p)
					} else {
						p.conn.Close()
					}
					for _, peer := range test.peers {
						peer(f.accept())
					}
					synctest.Wait()
					asked := f.requests()
					if test.good {
						if c.State() != client.Connected || len(asked) != len(test.peers) {
							t.Errorf("the client is %v behind %q", c.State(), asked)
						}
						return
					}
					f.refuses(0)
					var err error
					if policy == nil {
						<-c.Done()
						err = c.Err()
					} else {
						err = <-lost
						f.answers(offers + `}`) // not stateful this time
						f.requests()
					}
					if test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.lost) {
						t.Errorf("lost by %v, want %s %v", err, test.lost, test.is)
					}
					again := 0
					for _, r := range asked {
						if strings.HasPrefix(r, "GET /hub?id=secret-token") {
							again++
						}
					}
					if want := max(len(test.peers), strings.Count(test.name, "refused")); policy == nil && again != want {
						t.Errorf("%d sockets were tried, want %d: %q", again, want, asked)
					}
				})
			})
		}
	}
}

// A hub, or a transport, without stateful reconnect is used as without it.
func TestNotStateful(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL+"/hub", client.Options{HTTPClient: f.server.Client(), StatefulReconnect: true})
		p := f.connect(c, 1)
		p.say(push("1"))
		<-time.After(5 * time.Second)
		if err := c.Send(t.Context(), "A"); err != nil {
			t.Error(err)
		}
		p.expect(`{"type":1,"target":"A","arguments":[]}`) // no Ack before it
		p.conn.Close()
		<-c.Done()
		if asked := f.requests(); len(asked) != 2 {
			t.Errorf("requests: %q", asked)
		}
	})
}

// A token that came with a redirect holds for the other sockets, too.
func TestResumeWithGivenToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(r *http.Request) string {
			if strings.HasPrefix(r.URL.Path, "/hub") {
				return `{"url":"http://hub.test/other","accessToken":"ticket"}`
			}
			return offers + `,"useStatefulReconnect":true}`
		}
		c := client.New(f.server.URL+"/hub", client.Options{HTTPClient: f.server.Client(), StatefulReconnect: true, Token: bearer("user")})
		p := f.connect(c, 2)
		f.requests()
		p.conn.Close()
		q := f.accept()
		q.expect(sequence(1))
		if diff := cmp.Diff([]string{"GET /other?id=secret-token ticket"}, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

// Senders wait while too much is not acknowledged, also over a loss; what the
// reader and the keeper have to say does not wait.
func TestReplayBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, f, p := stateful(t, client.Options{ReplayBytes: 1000})
		heavy := strings.Repeat("x", 990)
		record := `{"type":1,"target":"Heavy","arguments":["` + heavy + `"]}`
		send := func(ctx context.Context) <-chan error {
			done := make(chan error, 1)
			go func() { done <- c.Send(ctx, "Heavy", heavy) }()
			synctest.Wait()
			return done
		}
		if err := <-send(t.Context()); err != nil {
			t.Error(err)
		}
		p.expect(record)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Send(ctx, "Heavy", heavy); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want a timeout", err)
		}
		second := send(t.Context())
		p.say(`{"type":1,"target":"Push","arguments":[]}`)
		p.expect(ack(1))
		p.conn.Close()
		q := f.accept()
		q.expect(sequence(1), record)
		q.say(sequence(2))
		third := send(t.Context())
		select {
		case err := <-second:
			t.Errorf("it was sent beyond the bound: %v", err)
		case <-time.After(20 * time.Second):
		}
		q.say(ack(1))
		select { // one of them has room now
		case err := <-second:
			second = third
			if err != nil {
				t.Error(err)
			}
		case err := <-third:
			if err != nil {
				t.Error(err)
			}
		}
		q.expect(record)
		q.say(ack(1), ack(-5))
		synctest.Wait()
		select {
		case err := <-second:
			t.Errorf("it was sent beyond the bound: %v", err)
		default:
		}
		q.say(ack(1 << 40)) // more than there is
		if err := <-second; err != nil {
			t.Error(err)
		}
		q.expect(record)
		c.Close()
		if err := <-send(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send = %v, want %v", err, client.ErrClosed)
		}
	})
}

// A call that is given up while the buffer is full is cancelled all the same.
func TestCancelOverTheBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, _, p := stateful(t, client.Options{ReplayBytes: 10})
		ctx, cancel := context.WithCancel(t.Context())
		done := async(func() {
			if _, err := c.Invoke(ctx, "Slow"); !errors.Is(err, context.Canceled) {
				t.Errorf("Invoke = %v, want %v", err, context.Canceled)
			}
		})
		p.expect(call("1", "Slow"))
		cancel()
		<-done
		p.expect(`{"type":5,"invocationId":"1"}`)
	})
}

// Closing in the midst of it ends it.
func TestCloseWhileResuming(t *testing.T) {
	for _, when := range []string{"dialling", "before the Sequence", "mended"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, f, p := stateful(t, client.Options{Reconnect: client.FourAttempts()})
				if when == "dialling" {
					f.hangs(true)
				}
				p.conn.Close()
				if when != "dialling" {
					q := f.accept()
					q.expect(sequence(1))
					if when == "mended" {
						q.say(sequence(1))
						synctest.Wait()
						go q.expect(`{"type":7}`, "close frame")
					}
				}
				synctest.Wait()
				begin := time.Now()
				c.Close()
				if time.Since(begin) > 2*time.Second || !errors.Is(c.Err(), client.ErrClosed) {
					t.Errorf("Close took %v, the client ended with %v", time.Since(begin), c.Err())
				}
				if asked := f.requests(); len(asked) != 3 {
					t.Errorf("requests: %q", asked)
				}
			})
		})
	}
}
