package sim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/sim"
)

// morning is when simulated time begins in the tests; not on a millisecond.
func morning() time.Time { return time.Date(2026, 11, 23, 7, 30, 0, 123_456_789, time.UTC) }

// live feeds a centre a span of time in steps and hands each envelope on as
// the publish door would read it.
func live(t *testing.T, c *sim.Centre, span, step time.Duration, see func(envelope)) {
	t.Helper()
	for at := time.Duration(0); at <= span; at += step {
		for _, e := range c.Step(morning().Add(at)) {
			see(read(t, e))
		}
	}
}

// An envelope is a sim.Envelope after its way through JSON.
type envelope struct {
	Org, Entity event.GUID
	Name, ID    string
	Time        time.Time
	Data        map[string]any
}

func read(t *testing.T, e sim.Envelope) envelope {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("marshal %s: %v", e.EventName, err)
	}
	var got struct {
		OrganizationID event.GUID `json:"organizationId"`
		EntityID       event.GUID `json:"entityId"`
		EventName      string     `json:"eventName"`
		ID             string     `json:"id"`
		Time           string     `json:"time"`
		Data           map[string]any
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("unmarshal %s: %v", b, err)
	}
	at, err := time.Parse(time.RFC3339Nano, got.Time)
	if err != nil || !strings.HasSuffix(got.Time, "Z") || at.Nanosecond()%int(time.Millisecond) != 0 {
		t.Fatalf("time %q: want UTC with Z and milliseconds (%v)", got.Time, err)
	}
	typ, ok := catalog().Lookup(got.EventName)
	if !ok {
		t.Fatalf("event %q is not in the catalogue", got.EventName)
	}
	return envelope{got.OrganizationID, got.EntityID, got.EventName, got.ID, at, asOnPage(t, typ, got.Data)}
}

// catalog reads the catalogue once for all tests.
var catalog = sync.OnceValue(event.NewCatalog)

// asOnPage renames wire members as the page spells them, which is how the
// rules of these tests name them.
func asOnPage(t *testing.T, typ *event.Type, data map[string]any) map[string]any {
	t.Helper()
	out := make(map[string]any, len(data))
	for name, v := range data {
		f, ok := typ.Field(name)
		if !ok || f.WireName != name {
			t.Fatalf("%s: no member %s on the wire", typ.Name, name)
		}
		if items, isList := v.([]any); isList {
			for i, item := range items {
				items[i] = asOnPage(t, f.Helper, item.(map[string]any))
			}
		}
		out[f.Name] = v
	}
	return out
}

// TestLife lives some hours of differently sized centres and holds every
// envelope against every rule there is.
func TestLife(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		options   sim.Options
		span      time.Duration
		sequences string // those that must occur
	}{
		{"usual", sim.Options{Seed: 1, Announce: time.Minute}, time.Hour, "1 2 5 11 16"},
		{"usual again", sim.Options{Seed: 2, Announce: -1}, time.Hour, "1 2 5 11 16"},
		{"as announced", sim.Options{Seed: 3}, 5 * time.Minute, "1 2 5 11 16"},
		{"large", sim.Options{Seed: 4, Agents: 300, Queues: 25, Announce: time.Minute}, 4 * time.Minute, "1 2 5 11 16"},
		{"fast", sim.Options{Seed: 5, Agents: 20, Speed: 20, Announce: time.Minute}, 5 * time.Minute, "1 2 5 11 16"},
		{"overrun", sim.Options{Seed: 6, Agents: 9, CallsPerMinute: 30, Announce: time.Minute}, 40 * time.Minute, "1 2 5 11 16"},
		{"pair", sim.Options{Seed: 7, Agents: 2, Queues: 3, Announce: -1}, 10 * time.Hour, "1 2 5 11 16"},
		{"alone", sim.Options{Seed: 8, Agents: 1, Queues: 1, Announce: -1}, 10 * time.Hour, "1 2 11 16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := sim.New(tt.options)
			w := newWatch(t, c)
			live(t, c, tt.span, time.Second, w.see)
			for _, n := range strings.Fields(tt.sequences) {
				if w.ended[n] == 0 {
					t.Errorf("sequence %s did not occur in %v; ended calls: %v", n, tt.span, w.ended)
				}
			}
			if !strings.Contains(tt.sequences, "5") && w.ended["5"] > 0 {
				t.Errorf("sequence 5 needs two agents and occurred %d times", w.ended["5"])
			}
			t.Logf("seed %d: %d envelopes, ended calls by sequence: %v", tt.options.Seed, len(w.ids), w.ended)
		})
	}
}

// TestChanges: people come and go in each of the ways the centre knows.
func TestChanges(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	last := map[event.GUID]any{}
	late := map[event.GUID]bool{} // whose availability changed after three hours
	see := func(e envelope) {
		d := e.Data
		switch e.Name {
		case "UserAvailability":
			if e.Time.Sub(morning()) > 3*time.Hour {
				late[e.Entity] = true
			}
			seen[d["Availability"].(string)] = true
			seen["note"] = seen["note"] || d["Note"] != ""
			seen["open end"] = seen["open end"] || d["Availability"] != "Available" && d["EndTime"] == "9999-12-31T23:59:59.9999999"
			if d["EndTime"] != "9999-12-31T23:59:59.9999999" {
				end, err := time.Parse(time.RFC3339Nano, d["EndTime"].(string))
				if err != nil || !end.After(e.Time) {
					t.Errorf("announced at %v: end %v is not later (%v)", e.Time, d["EndTime"], err)
				}
				seen["end"] = true
			}
			if before, ok := last[e.Entity]; ok && before == d["Availability"] {
				t.Errorf("%s at %v: %v announced without a change", e.Entity, e.Time, before)
			}
			last[e.Entity] = d["Availability"]
		case "UserStatus":
			seen["callbacks"] = seen["callbacks"] || d["ServingCallback"] == true && d["Serving"] == false
			seen["wrap-up"] = seen["wrap-up"] || d["WrapUpEnd"] != nil
		case "QueueAttachedUsers":
			for _, u := range d["AttachedUsers"].([]any) {
				seen["inactive"] = seen["inactive"] || u.(map[string]any)["Active"] == false
			}
		}
	}
	c := sim.New(sim.Options{Seed: 11, Announce: -1})
	for minute := range 360 {
		for _, e := range c.Step(morning().Add(time.Duration(minute) * time.Minute)) {
			if !strings.Contains(e.EventName, "Call") && e.EventName != "QueueStatus" {
				see(read(t, e))
			}
		}
	}
	want := []string{"Available", "Busy", "DoNotDisturb", "OffWork", "callbacks", "end", "inactive", "note", "open end", "wrap-up"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("what happened in six hours (-want +got):\n%s", diff)
	}
	if len(late) < 36 {
		t.Errorf("only %d of 40 agents changed after three hours: life stands still", len(late))
	}
}

// transcript is everything a centre says, one line each.
func transcript(t *testing.T, o sim.Options, span, step time.Duration) []string {
	t.Helper()
	var lines []string
	live(t, sim.New(o), span, step, func(e envelope) { lines = append(lines, fmt.Sprint(e)) })
	return lines
}

func TestSameSeedSameOutput(t *testing.T) {
	t.Parallel()
	o := sim.Options{Seed: 21, Agents: 15}
	want := transcript(t, o, 2*time.Minute, 100*time.Millisecond)
	for _, step := range []time.Duration{100 * time.Millisecond, time.Second, time.Minute} {
		if diff := cmp.Diff(want, transcript(t, o, 2*time.Minute, step)); diff != "" {
			t.Errorf("steps of %v (-first +again):\n%s", step, diff)
		}
	}
	o.Seed++
	if slices.Equal(want, transcript(t, o, 2*time.Minute, time.Second)) {
		t.Error("another seed gave the same output")
	}
}

// TestRunsDoNotCollide: the same seed in two runs names the same agents and
// queues, but no event and no call twice.
func TestRunsDoNotCollide(t *testing.T) {
	t.Parallel()
	ids := func(o sim.Options, begin time.Time) (events, calls map[string]bool) {
		events, calls = map[string]bool{}, map[string]bool{}
		c := sim.New(o)
		for at := range 60 {
			for _, e := range c.Step(begin.Add(time.Duration(at) * time.Second)) {
				got := read(t, e)
				events[got.ID] = true
				if id, ok := got.Data["CallId"].(string); ok {
					calls[id] = true
				}
			}
		}
		return events, calls
	}
	o := sim.Options{Seed: 31}
	firstEvents, firstCalls := ids(o, morning())
	if len(firstEvents) == 0 || len(firstCalls) == 0 {
		t.Fatal("nothing happened")
	}
	named := o
	named.Run = "named"
	for _, tt := range []struct {
		name    string
		options sim.Options
		begin   time.Time
	}{
		{"a millisecond later", o, morning().Add(time.Millisecond)},
		{"named by the caller", named, morning()},
	} {
		events, calls := ids(tt.options, tt.begin)
		for id := range events {
			if firstEvents[id] {
				t.Errorf("%s: event id %s is in both runs", tt.name, id)
			}
		}
		for id := range calls {
			if firstCalls[id] {
				t.Errorf("%s: call id %s is in both runs", tt.name, id)
			}
		}
	}
	if diff := cmp.Diff(sim.New(o).Agents(), sim.New(sim.Options{Seed: 31, Run: "x"}).Agents()); diff != "" {
		t.Errorf("agents differ between runs (-first +second):\n%s", diff)
	}
}

func TestEntities(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options        sim.Options
		agents, queues int
	}{
		{sim.Options{}, 40, 6},
		{sim.Options{Agents: 10}, 10, 3},
		{sim.Options{Agents: 2500, Queues: 40, Seed: 99}, 2500, 40},
	} {
		c := sim.New(tt.options)
		seen := map[string]bool{}
		for _, e := range slices.Concat(c.Agents(), c.Queues()) {
			if e.ID.IsZero() || e.Name == "" || seen[e.ID.String()] || seen[e.Name] {
				t.Errorf("%+v: %s %q is empty or there twice", tt.options, e.ID, e.Name)
			}
			seen[e.ID.String()], seen[e.Name] = true, true
		}
		for _, a := range c.Agents() {
			if !strings.HasSuffix(a.Name, "@example.com") {
				t.Errorf("agent %q: want a login name at example.com", a.Name)
			}
		}
		if got := len(c.Agents()); got != tt.agents {
			t.Errorf("%+v: %d agents, want %d", tt.options, got, tt.agents)
		}
		if got := len(c.Queues()); got != tt.queues {
			t.Errorf("%+v: %d queues, want %d", tt.options, got, tt.queues)
		}
		if c.Org().IsZero() {
			t.Errorf("%+v: no organization", tt.options)
		}
	}
	org := event.GUID{1}
	if got := sim.New(sim.Options{Org: org}).Org(); got != org {
		t.Errorf("organization %s, want %s", got, org)
	}
}
