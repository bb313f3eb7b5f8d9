package derive

import (
	"time"

	"rte/internal/event"
)

// A Source says who makes an event that follows from others.
type Source uint8

// The sources.
const (
	Detect   Source = iota // the producer where it is seen to, else RTE
	Derived                // RTE, whatever a producer sends
	Producer               // the producer; RTE makes none
)

// Options are the settings of rules; the zero value is a good one. They must
// be the same on every node.
type Options struct {
	// TerminalAttempts are the types of attempt that close a callback, since
	// no payload says that it is closed (I16 of the catalogue) and no list of
	// types is published. None: only its expiry closes one.
	TerminalAttempts []int32

	UserCallbacks Source // of UserCallbackChanged
	ListStatus    Source // of CallbackListStatus; detected list by list

	// Every is how often a list's counters are looked at, in whole seconds;
	// 0: 15 s, what the product's page says.
	Every time.Duration

	// KeepClosed is how long a closed callback is remembered, for one that is
	// changed once more; 0: a day.
	KeepClosed time.Duration

	// MaxCallbacks, MaxEntities (users, lists and queues, each) and MaxCalls
	// (that wait in a queue) bound what is remembered; 0: 1,000,000, 200,000
	// and 200,000. Over the bound the callback or call that changed longest ago
	// is forgotten, a closed one first, and a new entity is not taken up.
	MaxCallbacks, MaxEntities, MaxCalls int

	// Zone is an organization's time zone, for its midnight; nil, also as an
	// answer: UTC. It is asked often.
	Zone func(org event.GUID) *time.Location

	// Threshold is how soon a queue's calls should be answered; nil, and 0 as
	// an answer: 20 s. It is asked when a call ends.
	Threshold func(org, queue event.GUID) time.Duration

	// Allowed tells whether an alert's user may still hear what it is about;
	// nil: yes. It is asked before an alert fires, and if the answer is no,
	// again at the next value and every Every while the condition holds.
	Allowed func(*Alert) bool
}

const (
	defaultEvery     = 15 * time.Second
	defaultKeep      = 24 * time.Hour
	defaultCallbacks = 1_000_000
	defaultEntities  = 200_000
	defaultCalls     = 200_000
	defaultThreshold = 20 * time.Second
)

// filled are the options with defaults filled in.
func (o Options) filled() Options {
	if o.Every < time.Second {
		o.Every = defaultEvery
	}
	if o.KeepClosed <= 0 {
		o.KeepClosed = defaultKeep
	}
	for _, n := range []struct {
		at   *int
		good int
	}{{&o.MaxCallbacks, defaultCallbacks}, {&o.MaxEntities, defaultEntities}, {&o.MaxCalls, defaultCalls}} {
		if *n.at <= 0 {
			*n.at = n.good
		}
	}
	if o.Allowed == nil {
		o.Allowed = func(*Alert) bool { return true }
	}
	return o
}

func (o *Options) zone(org event.GUID) *time.Location {
	if o.Zone != nil {
		if z := o.Zone(org); z != nil {
			return z
		}
	}
	return time.UTC
}

func (o *Options) threshold(org, queue event.GUID) time.Duration {
	if o.Threshold != nil {
		if t := o.Threshold(org, queue); t > 0 {
			return t
		}
	}
	return defaultThreshold
}

// An Output is what follows from an input. Its owner stores Alerts before it
// publishes Events, and Callbacks and Figures after: an owner that dies in
// between has a successor that publishes the same events again, which the store
// knows by their ids, and that fires no alert twice. Reuse it with Reset.
type Output struct {
	Alerts    []AlertState
	Events    []event.Event // in the order in which to publish them
	Callbacks []Callback
	Figures   []Figures
}

// Reset empties the output for the next input.
func (o *Output) Reset() {
	clear(o.Events) // payloads
	o.Alerts, o.Events, o.Callbacks, o.Figures = o.Alerts[:0], o.Events[:0], o.Callbacks[:0], o.Figures[:0]
}
