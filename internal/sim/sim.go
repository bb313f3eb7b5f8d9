package sim

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"rte/internal/event"
)

// Options say how large and how busy the simulated centre is. The zero value
// is a centre of 40 agents and 6 queues that is pleasant to watch.
type Options struct {
	// Org is the organization all events belong to; the zero GUID stands for
	// one made from the seed.
	Org event.GUID
	// Agents is the number of agents; 0 means 40.
	Agents int
	// Queues is the number of queues; 0 means a sixth of the agents, at
	// least three.
	Queues int
	// Seed decides everything that chance decides, ids and names too. The
	// ids of agents and queues depend on nothing else.
	Seed uint64
	// Run tells this run's event and call ids from those of other runs with
	// the same seed; empty means the time of the first Step.
	Run string
	// CallsPerMinute is the mean number of new calls a minute, at speed 1;
	// 0 means 0.45 for each agent: most are busy, and customers wait at
	// times.
	CallsPerMinute float64
	// Speed divides everything that takes time in the centre's life: 10
	// means ten times as many calls, each a tenth as long. How often states
	// are sent does not change with it. 0 means 1.
	Speed float64
	// Announce is how often each state is sent again although nothing has
	// changed; 0 means 5 s, negative means never.
	Announce time.Duration
	// Log hears when Run cannot publish, and when it can again; nil is silent.
	Log *slog.Logger
}

// An Envelope is one event as the publish door takes it (design contract,
// publish envelope): it marshals to that JSON.
type Envelope struct {
	OrganizationID event.GUID    `json:"organizationId"`
	EntityID       event.GUID    `json:"entityId"`
	EventName      string        `json:"eventName"` // the catalogue's spelling
	ID             string        `json:"id"`        // unique over runs; the same when published again
	Time           time.Time     `json:"time"`      // UTC, milliseconds
	Data           event.Payload `json:"data"`
}

// An Entity is an agent or a queue: what tokens and directories list.
type Entity struct {
	ID   event.GUID `json:"id"`
	Name string     `json:"name"`
}

// A Centre is a simulated contact centre. It is owned by one goroutine.
type Centre struct {
	// Static after New.
	org      event.GUID
	seed     uint64
	perCall  time.Duration // mean time between two calls at speed 1
	speed    float64
	announce time.Duration // negative: never
	log      *slog.Logger
	agents   []*agent
	queues   []*queue
	script   []sequence

	// The run.
	run     string
	start   time.Time     // wall time of simulated zero
	now     time.Duration // simulated, since start
	started bool
	rand    *rand.Rand
	agenda  agenda
	waiting []*call // calls that an agent is looked for, oldest first
	events  uint64  // envelopes made so far: the last part of their ids
	calls   uint64  // calls made so far

	// The task that runs now.
	out     []Envelope
	touched []*agent // whose status may have changed
	stirred []*queue // whose counters may have changed
}

// New makes a centre. Nothing happens in it before the first Step.
func New(o Options) *Centre {
	o.Agents = max(cmp.Or(o.Agents, 40), 1)
	o.Queues = max(cmp.Or(o.Queues, max(o.Agents/6, 3)), 1)
	perMinute := cmp.Or(o.CallsPerMinute, 0.45*float64(o.Agents))
	c := &Centre{
		org:      o.Org,
		seed:     o.Seed,
		perCall:  time.Duration(float64(time.Minute) / max(perMinute, 0.001)),
		speed:    cmp.Or(max(o.Speed, 0), 1),
		announce: cmp.Or(o.Announce, 5*time.Second),
		log:      cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		script:   sequences(),
		run:      o.Run,
		rand:     rand.New(rand.NewPCG(o.Seed, 1)),
	}
	if c.org.IsZero() {
		c.org = c.guid("organization", 0)
	}
	c.hire(o.Agents, o.Queues)
	return c
}

// Org is the organization all events belong to.
func (c *Centre) Org() event.GUID { return c.org }

// Agents lists the agents; the name is the login name.
func (c *Centre) Agents() []Entity {
	es := make([]Entity, len(c.agents))
	for i, a := range c.agents {
		es[i] = Entity{a.id, a.name}
	}
	return es
}

// Queues lists the queues.
func (c *Centre) Queues() []Entity {
	es := make([]Entity, len(c.queues))
	for i, q := range c.queues {
		es[i] = Entity{q.id, q.name}
	}
	return es
}

// Step lets the centre live until now and returns everything that happened,
// in order. The first Step is the beginning of its time and announces every
// state. A now that is not later than the last one gives nothing. How the
// time is cut into steps makes no difference to what comes out.
func (c *Centre) Step(now time.Time) []Envelope {
	// Without the monotonic reading: a suspended machine must not leave the
	// dates in the payloads behind.
	now = now.Round(0).UTC()
	if !c.started {
		c.begin(now)
	}
	until := now.Sub(c.start)
	for {
		t, due := c.agenda.due(until)
		if !due {
			break
		}
		c.now = max(c.now, t.at)
		t.do()
		c.changeDue()
		c.allocate()
		c.flush()
	}
	c.now = max(c.now, until)
	out := c.out
	c.out = nil
	return out
}

// begin starts the clock, announces everything and lets life begin.
func (c *Centre) begin(now time.Time) {
	c.started, c.start = true, now
	if c.run == "" {
		c.run = strconv.FormatUint(c.seed, 36) + "-" + strconv.FormatInt(now.UnixNano(), 36)
	}
	for _, a := range c.agents {
		c.settle(a)
	}
	c.announceAll()
	c.flush() // finds nothing new
	c.after(c.pause(), c.nextCall)
}

// emit puts one envelope out; the payload is complete and not used again.
func (c *Centre) emit(entity event.GUID, data event.Payload) {
	c.events++
	c.out = append(c.out, Envelope{
		OrganizationID: c.org,
		EntityID:       entity,
		EventName:      data.Event(),
		ID:             "sim-" + c.run + "-" + strconv.FormatUint(c.events, 36),
		Time:           c.wall(c.now),
		Data:           data,
	})
}

// wall is the wall time of a simulated time, in milliseconds: what events
// carry.
func (c *Centre) wall(at time.Duration) time.Time {
	return c.start.Add(at).Truncate(time.Millisecond)
}
