package bench_test

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rte/internal/bench"
	"rte/signalr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orgText = "5e0b1c52-3a7d-4f0e-9a51-2f6d1c8e7b10"

// small is a short run against a service.
func small(s *service) bench.VerifyOptions {
	return bench.VerifyOptions{
		URL: s.url, Token: "a.b.c", Organization: orgText,
		Connections: 6, Subscriptions: 4, Pairs: 8, Rate: 800, Duration: 500 * time.Millisecond, Settle: 20 * time.Second,
	}
}

// verify runs, and judges the history again.
func verify(t *testing.T, o bench.VerifyOptions) *bench.Report {
	t.Helper()
	var history bytes.Buffer
	o.History = &history
	report, err := bench.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bench.Replay(&history)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(report.Verdict, again); d != "" {
		t.Errorf("the history says otherwise (-run +history):\n%s", d)
	}
	return report
}

// TestVerifyGood: nothing is wrong with a service that does right, also when
// every client loses its connection again and again.
func TestVerifyGood(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*bench.VerifyOptions){
		"JSON":        func(*bench.VerifyOptions) {},
		"MessagePack": func(o *bench.VerifyOptions) { o.Protocol = signalr.MessagePack{} },
		"two Subscribes": func(o *bench.VerifyOptions) {
			o.Connections, o.Pairs, o.Subscriptions = 2, 700, 700
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			o := small(s)
			set(&o)
			o.Duration = 1500 * time.Millisecond
			var told atomic.Int32
			o.Progress = func(p bench.Progress) {
				told.Add(1)
				if p.Phase == "publishing" {
					s.drop()
				}
			}
			r := verify(t, o)
			if !r.Good() || r.Heard == 0 || r.Accepted == 0 || r.Reconnect == 0 || told.Load() == 0 {
				t.Errorf("told %d times, then %+v", told.Load(), r)
			}
		})
	}
}

// TestVerifyFinds: each fault is found, and nothing else.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	item := func(client int, key string, n int) bool {
		return client == 0 && strings.HasSuffix(key, ":QueueCallInArrived") && n == 3
	}
	kept := map[string]signalr.Value{}
	for name, row := range map[string]struct {
		spoil func(client int, key string, n int, push signalr.Value) []signalr.Value
		of    func(*bench.Report) uint64
	}{
		"lost": {func(client int, key string, n int, push signalr.Value) []signalr.Value {
			if item(client, key, n) {
				return nil
			}
			return []signalr.Value{push}
		}, func(r *bench.Report) uint64 { return r.Lost }},
		"twice": {func(client int, key string, n int, push signalr.Value) []signalr.Value {
			if item(client, key, n) {
				return []signalr.Value{push, push}
			}
			return []signalr.Value{push}
		}, func(r *bench.Report) uint64 { return r.Doubled }},
		"out of order": {func(client int, key string, n int, push signalr.Value) []signalr.Value {
			switch {
			case item(client, key, n):
				kept[key] = push
				return nil
			case item(client, key, n-1):
				return []signalr.Value{push, kept[key]}
			}
			return []signalr.Value{push}
		}, func(r *bench.Report) uint64 { return r.Disordered }},
		"of others": {func(client int, key string, n int, push signalr.Value) []signalr.Value {
			if item(client, key, n) {
				return []signalr.Value{push, signalr.RawJSON([]byte(`{"subscription":{"entityId":"x","eventName":"y"},"data":{},"cursor":"1"}`))}
			}
			return []signalr.Value{push}
		}, func(r *bench.Report) uint64 { return r.Noise }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.spoil = row.spoil
			o := small(s)
			r := verify(t, o)
			sum := r.Lost + r.Doubled + r.Disordered + r.Noise + r.Unrecovered
			if r.Good() || row.of(r) == 0 || row.of(r) != sum || len(r.Wrong) == 0 {
				t.Errorf("%+v, want nothing but what is %s", r.Verdict, name)
			}
		})
	}
}

// TestVerifyUnrecovered: a service that says it has lost the place is not
// good, but nothing counts as lost twice over.
func TestVerifyUnrecovered(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.forget = true
	o := small(s)
	o.Duration = 1500 * time.Millisecond
	o.Progress = func(p bench.Progress) {
		if p.Phase == "publishing" {
			s.drop()
		}
	}
	if r := verify(t, o); r.Good() || r.Unrecovered == 0 {
		t.Errorf("%+v, want unrecovered", r.Verdict)
	}
}

// TestVerifyRefuses: what cannot be verified is an error that says so.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for name, row := range map[string]struct {
		set  func(*bench.VerifyOptions)
		want string
	}{
		"no URL":        {func(o *bench.VerifyOptions) { o.URL = "" }, "required"},
		"negative":      {func(o *bench.VerifyOptions) { o.Rate = -1 }, "negative"},
		"nobody there":  {func(o *bench.VerifyOptions) { o.URL = "http://127.0.0.1:1" }, "refused"},
		"no publishing": {func(o *bench.VerifyOptions) { o.PublishURL = s.url + "/else" }, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small(s)
			row.set(&o)
			if _, err := bench.Verify(t.Context(), o); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q in it", err, row.want)
			}
		})
	}
}

// TestVerifyStops: a run that is stopped early is judged all the same.
func TestVerifyStops(t *testing.T) {
	t.Parallel()
	s := newService(t)
	o := small(s)
	o.Duration = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(p bench.Progress) {
		if p.Published > 0 {
			cancel()
		}
	}
	r, err := bench.Verify(ctx, o)
	if err != nil || r.Accepted == 0 || !r.Good() {
		t.Errorf("%+v, %v", r, err)
	}
}
