package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rte/signalr"
	"rte/signalr/hub"
)

// with adds upload streams to the record of an invocation.
func with(record string, ids ...string) string {
	return strings.TrimSuffix(record, "}") + `,"streamIds":["` + strings.Join(ids, `","`) + `"]}`
}

// concat joins the texts of all uploads, one upload behind the other.
func concat(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	var all strings.Builder
	for _, u := range c.Uploads {
		for {
			v, err := u.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			var text string
			if signalr.Decode(v, &text) != nil {
				return nil, hub.BadArguments()
			}
			all.WriteString(text)
		}
	}
	return signalr.Any(all.String()), nil
}

// mirror sends every item back.
func mirror(ctx context.Context, c *hub.Call, send sender) error {
	for {
		v, err := c.Uploads[0].Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(v); err != nil {
			return err
		}
	}
}

func uploading() hub.Options {
	return hub.Options{
		Methods: map[string]hub.Method{"Echo": echo, "One": concat, "Two": concat},
		Streams: map[string]hub.Stream{"Mirror": mirror},
		Uploads: map[string]int{"one": 1, "TWO": 2, "Mirror": 1, "Unknown": 3},
	}
}

func TestUploads(t *testing.T) {
	const broke = "An unexpected error occurred invoking '%s' on the server. HubException: %s"
	fail := func(target, text string) string { return failure("1", fmt.Sprintf(broke, target, text)) }
	one, two, up := with(call("1", "One"), "7"), with(call("1", "Two"), "7", "8"), with(stream("1", "Mirror"), "7")
	tests := []struct {
		name       string
		send, want []string
	}{
		{"one", []string{one, item("7", `"a"`), item("7", `"b"`), done("7")}, []string{result("1", `"ab"`)}},
		{"empty", []string{one, done("7")}, []string{result("1", `""`)}},
		{"two, mixed", []string{two, item("8", `"c"`), item("7", `"a"`), item("8", `"d"`), done("8"), item("7", `"b"`), done("7")}, []string{result("1", `"abcd"`)}},
		{"error of the client's", []string{one, item("7", `"a"`), failure("7", "no more")}, []string{fail("One", "no more")}},
		{"unknown ids", []string{item("9", `"x"`), done("9"), one, item("9", `"x"`), failure("9", "x"), done("7")}, []string{result("1", `""`)}},
		{"behind the end", []string{one, done("7"), item("7", `"x"`), done("7"), failure("7", "x")}, []string{result("1", `""`)}},
		{"item of another type", []string{one, item("7", `1`), item("7", `"x"`)}, []string{failure("1", "Failed to invoke 'One' due to an error on the server.")}},
		{"too few", []string{call("1", "One")}, []string{fail("One", "Client sent 0 stream(s), Hub method expects 1.")}},
		{"too many", []string{with(call("1", "one"), "7", "8")}, []string{fail("one", "Client sent 2 stream(s), Hub method expects 1.")}},
		{"same id twice", []string{with(call("1", "Two"), "7", "7")}, []string{failure("1", "Stream ID '7' is already in use.")}},
		{"up and down", []string{up, item("7", `"客"`), item("7", `null`), done("7")}, []string{item("1", `"客"`), item("1", "null"), done("1")}},
		{"up and down, error", []string{up, item("7", `1`), failure("7", "no more")}, []string{item("1", "1"), failure("1", "An error occurred on the server while streaming results. HubException: no more")}},
		{"up and down, wrong count", []string{stream("1", "Mirror")}, []string{fail("Mirror", "Client sent 0 stream(s), Hub method expects 1.")}},
		{"no answer wanted", []string{strings.Replace(one, `"invocationId":"1",`, "", 1), item("7", `"a"`)}, nil},
	}
	for _, test := range tests {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%t", test.name, whole), func(t *testing.T) {
				everywhere(t, uploading, func(s *site) {
					w := s.meet()
					for range 2 { // ids are free again
						if whole {
							w.send(test.send...)
						} else {
							for _, record := range test.send {
								w.send(record)
								synctest.Wait()
							}
						}
						w.expect(test.want...)
						w.send(done("7"))
						synctest.Wait()
					}
					w.send(call("2", "Echo", `"on"`))
					w.expect(result("2", `"on"`))
				})
			})
		}
	}
}

// A method that waits for an upload keeps nobody waiting; its ids are taken.
func TestUploadRunsBesideCalls(t *testing.T) {
	everywhere(t, uploading, func(s *site) {
		w := s.meet()
		w.send(with(call("1", "One"), "7"), call("2", "Echo", `"x"`))
		w.expect(result("2", `"x"`))
		w.send(with(call("3", "One"), "7"))
		w.expect(failure("3", "Stream ID '7' is already in use."))
		w.send(with(stream("4", "Mirror"), "8"), item("8", "1"))
		w.expect(item("4", "1"))
		w.send(cancel("4"))
		w.expect(done("4"))
		w.send(item("7", `"end"`), done("7"))
		w.expect(result("1", `"end"`))
	})
}

// An upload that is not read holds the client; then nothing is lost.
func TestUploadHoldsClient(t *testing.T) {
	for _, each := range []bool{true, false} {
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
				const items = 400 // many times what may wait
				gate := make(chan struct{})
				o := uploading()
				o.Methods["Gated"] = func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
					<-gate
					for n := range items {
						var got string
						v, err := c.Uploads[0].Next(ctx)
						if err != nil || signalr.Decode(v, &got) != nil || strings.TrimRight(got, ".") != fmt.Sprint(n) {
							return nil, fmt.Errorf("item %d is %q, %w", n, got, err)
						}
					}
					v, err := c.Uploads[0].Next(ctx)
					return signalr.Any(v == nil && errors.Is(err, io.EOF)), nil
				}
				o.Uploads["Gated"] = 1
				o.DetailedErrors = true
				s := at(o)
				s.server.Network.Buffer = 4 << 10
				w := s.meet()
				records := []string{with(call("1", "Gated"), "7")}
				for i := range items {
					records = append(records, item("7", `"`+fmt.Sprint(i)+strings.Repeat(".", 200)+`"`))
				}
				// Calls fill their own queue meanwhile: two who hold.
				for range 40 {
					records = append(records, call("", "Echo", `"x"`))
				}
				records = append(records, done("7"))
				var written atomic.Int64
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					if !each {
						w.send(records...)
						return
					}
					for _, r := range records {
						w.send(r)
						written.Add(int64(len(r)))
					}
				}()
				synctest.Wait()
				if n := written.Load(); n > 4<<10+11*300+32<<10 {
					t.Errorf("%d bytes were taken while nothing was read", n)
				}
				close(gate)
				w.expect(result("1", "true"))
				<-sent
				w.send(call("2", "Echo", `"on"`))
				w.expect(result("2", `"on"`))
			})
		})
	}
}

// The end of one hold is not the end of the other.
func TestTwoHolds(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		read, run := make(chan struct{}), make(chan struct{})
		o := uploading()
		o.Methods["One"] = func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
			<-read
			return concat(ctx, c)
		}
		o.Methods["Block"] = func(context.Context, *hub.Call) (signalr.Value, error) { <-run; return nil, nil }
		s := at(o)
		s.server.Network.Buffer = 4 << 10
		w := s.meet()
		records := []string{with(call("1", "One"), "7"), call("", "Block")}
		for range 15 {
			records = append(records, item("7", `"x"`))
		}
		records = append(records, done("7"))
		for range 20 {
			records = append(records, call("", "Echo", `"x"`))
		}
		const more = 250
		go func() {
			w.send(records...) // one piece: both hold
			for range more {
				w.send(call("", "Echo", `"`+strings.Repeat("x", 200)+`"`))
			}
		}()
		synctest.Wait()
		close(read)
		w.expect(result("1", `"`+strings.Repeat("x", 15)+`"`))
		synctest.Wait()
		if n := s.hub.Stats().Invocations; n > 200 {
			t.Errorf("%d invocations are waiting, want a bounded number", n)
		}
		close(run)
		synctest.Wait()
		if n := s.hub.Stats().Invocations; n != more+22 {
			t.Errorf("%d invocations came, want %d", n, more+22)
		}
	})
}

// The end of a method lets go of a client that its upload has held; the end of
// the connection ends the wait for an item, whatever the context.
func TestUploadEnds(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		var kept *hub.Upload
		ended := make(chan error, 1)
		s := at(hub.Options{
			Methods: map[string]hub.Method{
				"Leave": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					kept = c.Uploads[0]
					synctest.Wait()
					return nil, nil
				},
				"Stay": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					_, err := c.Uploads[0].Next(context.Background())
					ended <- err
					return nil, err
				},
			},
			Uploads: map[string]int{"Leave": 1, "Stay": 1},
		})
		w := s.meet()
		records := []string{with(call("1", "Leave"), "7")}
		for range 2000 {
			records = append(records, item("7", `"`+strings.Repeat("x", 100)+`"`))
		}
		taken := w.begin(append(records, with(call("2", "Stay"), "7"))...)
		w.expect(result("1", "null"))
		taken()
		synctest.Wait()
		if _, err := kept.Next(context.Background()); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Next behind the method = %v, want %v", err, hub.ErrEnded)
		}
		w.vanish()
		if err := <-ended; !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Next behind the connection = %v, want %v", err, hub.ErrEnded)
		}
	})
}
