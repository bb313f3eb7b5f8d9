package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rte/internal/bench"
	"rte/signalr"
	"rte/signalr/client"
)

// little is a short load run against a service.
func little(s *service) bench.LoadOptions {
	return bench.LoadOptions{
		URL: s.url, Token: "a.b.c", Organization: orgText, Connections: 12, Subscriptions: 4, Queues: 6,
		Rate: 200, Duration: 300 * time.Millisecond, Settle: 10 * time.Second,
	}
}

type scenario func(context.Context, bench.LoadOptions) (*bench.Result, error)

// TestLoadGood: a service that does right has no faults, over every scenario
// and protocol, and what was published was heard.
func TestLoadGood(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]scenario{
		"connect": bench.Connect, "idle": bench.Idle, "fanout": bench.Fanout, "sparse": bench.Sparse, "ingest": bench.Ingest, "resume": bench.Resume,
	} {
		for _, protocol := range []signalr.Protocol{signalr.JSON{}, signalr.MessagePack{}} {
			t.Run(name+" "+protocol.Name(), func(t *testing.T) {
				t.Parallel()
				o := little(newService(t))
				o.Protocol = protocol
				if name == "fanout" {
					o.Subscriptions, o.Queues = 1, 1
				}
				r, err := do(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Faults) > 0 {
					t.Errorf("faults: %q", r.Faults)
				}
				publishes := name != "connect" && name != "idle"
				if heard := r.Figure("delayP50Millis") > 0 || r.Figure("resumeDeliveries") == 12*4*3; heard != publishes {
					t.Errorf("heard is %v: %+v", heard, r.Figures)
				}
			})
		}
	}
}

// TestLoadWays: saturated, in bursts, and over the other transports.
func TestLoadWays(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*bench.LoadOptions){
		"saturated":          func(o *bench.LoadOptions) { o.Rate = 0 },
		"bursts":             func(o *bench.LoadOptions) { o.Burst, o.BatchEvents = 16, 10 },
		"saturated bursts":   func(o *bench.LoadOptions) { o.Rate, o.Burst = 0, 8 },
		"a user each":        func(o *bench.LoadOptions) { o.Tokens = func(n int) (string, error) { return fmt.Sprint(n), nil } },
		"server-sent events": func(o *bench.LoadOptions) { o.Transport = client.ServerSentEvents },
		"long polling":       func(o *bench.LoadOptions) { o.Transport = client.LongPolling },
		"more than a Subscribe": func(o *bench.LoadOptions) {
			o.Connections, o.Subscriptions, o.Queues = 2, 700, 700
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := little(newService(t))
			set(&o)
			r, err := bench.Sparse(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Faults) > 0 || r.Figure("deliveriesPerSecond") == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestLoadFaults: what is wrong is said.
func TestLoadFaults(t *testing.T) {
	t.Parallel()
	once := func(spoiled ...int) func(int, string, int, signalr.Value) []signalr.Value {
		return func(client int, _ string, n int, push signalr.Value) (list []signalr.Value) {
			if client != 3 || n != 2 {
				return []signalr.Value{push}
			}
			for range spoiled[0] {
				list = append(list, push)
			}
			return list
		}
	}
	for name, c := range map[string]struct {
		spoil func(int, string, int, signalr.Value) []signalr.Value
		state bool
		want  string
	}{
		"lost":               {once(0), false, " lost"},
		"doubled":            {once(2), false, " doubled or out of order"},
		"a state may be":     {once(0), true, ""},
		"but not be doubled": {once(2), true, " doubled or out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.spoil = c.spoil
			o := little(s)
			o.Subscriptions, o.Queues, o.State, o.Settle = 1, 1, c.state, time.Second
			r, err := bench.Fanout(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Faults, "; "); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("faults are %q, want %q", got, c.want)
			}
		})
	}
}

// TestLoadLosesConnections: connections that end by themselves are a fault,
// and cursors that are too old an error.
func TestLoadLosesConnections(t *testing.T) {
	t.Parallel()
	s := newService(t)
	o := little(s)
	o.Duration = time.Second
	o.Progress = func(bench.LoadProgress) { s.drop() }
	r, err := bench.Idle(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "12 connections were lost, the first: ") {
		t.Errorf("faults are %q", r.Faults)
	}

	s = newService(t)
	s.forget = true
	if _, err := bench.Resume(t.Context(), little(s)); err == nil || !strings.Contains(err.Error(), "could not recover") {
		t.Errorf("the error is %v", err)
	}
}

// TestLoadCost: the node's metrics make its cost.
func TestLoadCost(t *testing.T) {
	t.Parallel()
	looks := 0
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		looks++
		fmt.Fprintf(w, "# HELP x\nprocess_cpu_seconds_total %d\nprocess_resident_memory_bytes %de3\nrte_closes_total{reason=\"a b\"} 1 1700000000\n", looks, 1000+12*looks)
	}))
	defer admin.Close()
	o := little(newService(t))
	o.AdminURL = admin.URL + "/"
	r, err := bench.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if cpu, memory := r.Figure("serverConnectMicros"), r.Figure("bytesPerConnection"); cpu != 1e6/12. || memory != 2000 {
		t.Errorf("%v µs and %v bytes for each connection, want %v and 2000", cpu, memory, 1e6/12.)
	}
	o.AdminURL = newService(t).url
	if _, err := bench.Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is that the admin listener?") {
		t.Errorf("the error is %v", err)
	}
}

// TestLoadOptions: what cannot be is refused.
func TestLoadOptions(t *testing.T) {
	t.Parallel()
	good := bench.LoadOptions{URL: "http://127.0.0.1:1", Token: "a.b.c", Organization: orgText}
	for want, set := range map[string]func(*bench.LoadOptions){
		"are required":                       func(o *bench.LoadOptions) { o.Token = "" },
		"cannot be negative":                 func(o *bench.LoadOptions) { o.Burst = -1 },
		"each need as many queues":           func(o *bench.LoadOptions) { o.Subscriptions, o.Queues = 3, 2 },
		"somebody must hear":                 func(o *bench.LoadOptions) { o.Connections, o.Stalled = 5, 5 },
		"has no room for a burst":            func(o *bench.LoadOptions) { o.Burst, o.Window = 4, 3 },
		"connection refused":                 func(*bench.LoadOptions) {},
		"look at the server":                 func(o *bench.LoadOptions) { o.AdminURL = "http://127.0.0.1:1" },
		"token of client 0: no more of them": func(o *bench.LoadOptions) { o.Tokens = noTokens },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			o := good
			o.Connections = 1
			set(&o)
			if _, err := bench.Fanout(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, want %q", err, want)
			}
		})
	}
}

func noTokens(int) (string, error) { return "", fmt.Errorf("no more of them") }
