package bench

import (
	"strings"
	"time"
)

// A Figure is one thing that was measured.
type Figure struct {
	Key   string  `json:"key"` // for programs: fixed, with its unit
	Value float64 `json:"value"`
	Name  string  `json:"name"` // for people
	Unit  string  `json:"unit"`
}

// A Result is the outcome of a load run.
type Result struct {
	Scenario      string   `json:"scenario"`
	Connections   int      `json:"connections"`
	Subscriptions int      `json:"subscriptions"`
	Queues        int      `json:"queues"`
	Transport     string   `json:"transport"`
	Protocol      string   `json:"protocol"`
	Figures       []Figure `json:"figures"`
	// Doubts are reasons not to trust the figures: the load program had too
	// little of the machine, say.
	Doubts []string `json:"doubts"`
	// Faults are what must not be: lost or doubled events, lost connections.
	Faults []string `json:"faults"`
}

func (c *crowd) result(scenario string) *Result {
	return &Result{
		Scenario: scenario, Connections: c.o.Connections, Subscriptions: c.o.Subscriptions, Queues: c.o.Queues,
		Transport: string(c.o.Transport), Protocol: c.o.Protocol.Name(),
		Figures: []Figure{}, Doubts: []string{}, Faults: []string{},
	}
}

func (r *Result) add(key, name string, value float64, unit string) {
	r.Figures = append(r.Figures, Figure{key, value, name, unit})
}

// Figure is the value of a key, 0 if it was not measured.
func (r *Result) Figure(key string) float64 {
	for _, f := range r.Figures {
		if f.Key == key {
			return f.Value
		}
	}
	return 0
}

// addDelays adds three quantiles.
func (r *Result) addDelays(key, name string, d *delays) {
	r.add(key+"P50Millis", name+", half of them", d.quantile(0.5), "ms")
	r.add(key+"P99Millis", name+", 99 %", d.quantile(0.99), "ms")
	r.add(key+"P999Millis", name+", 99.9 %", d.quantile(0.999), "ms")
}

// busyPart is how much of its processors' time a load program may use before
// it is no witness any more.
const busyPart = 0.9

// addCost adds what a phase has cost the server, by what it did n times, and
// what it has cost this program.
func (r *Result) addCost(key, name string, s cost, n uint64) {
	if s.known && n > 0 {
		r.add("server"+key+"Micros", "server CPU "+name, s.serverCPU.Seconds()*1e6/float64(n), "µs")
	}
	if s.took > 0 {
		if s.known {
			r.add("server"+key+"CorePercent", "server CPU meanwhile", 100*s.serverCPU.Seconds()/s.took.Seconds(), "% of a core")
		}
		r.add("client"+key+"CorePercent", "this program's CPU meanwhile", 100*s.ownCPU.Seconds()/s.took.Seconds(), "% of a core")
	}
	if s.starved() {
		r.Doubts = append(r.Doubts, "this program used nearly all of its processors: the figures \""+name+"\" may be its own")
	}
}

// rate is n in a time, a second.
func rate(n uint64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}

// upperFirst makes a key go on behind another.
func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
