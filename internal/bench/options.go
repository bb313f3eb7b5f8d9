package bench

import (
	"errors"
	"io"
	"strings"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// VerifyOptions say what Verify does. URL, Token and Organization are
// required; zeros of the others mean the default.
type VerifyOptions struct {
	URL          string // of the node, with its base path; the hub is at URL/rte
	PublishURL   string // where the publish API is apart from the hub; default URL
	Token        string // role service: it publishes and hears everything of its organization
	Organization string // the token's, a Guid

	Connections   int           // clients; default 100
	Subscriptions int           // pairs that each hears; default 10
	Pairs         int           // in all; default Connections×Subscriptions/2, so that each has two hearers
	Rate          float64       // events a second over all pairs; default 500
	Duration      time.Duration // of publishing; default 30 s
	Settle        time.Duration // how long the last events may take to arrive; default 60 s
	EventBytes    int           // of an event's data; default 350
	BatchEvents   int           // most in one request; default 100

	Transport         client.Transport // default: the first that works
	Protocol          signalr.Protocol // default JSON
	StatefulReconnect bool             // survive short losses without cursors

	History  io.Writer      // takes each Record as a line of JSON, if not nil
	Progress func(Progress) // called every second, if not nil
}

// Progress is how far a run has come.
type Progress struct {
	Elapsed   time.Duration
	Connected int    // clients with a connection now
	Published uint64 // events accepted
	Heard     uint64 // events × clients
	Behind    int    // hearings that have not come to the last accepted event
	Verdict   Verdict
	Phase     string // "connecting", "publishing" or "settling"
}

func (o *VerifyOptions) hubURL() string { return strings.TrimRight(o.URL, "/") + "/rte" }

func (o VerifyOptions) withDefaults() (VerifyOptions, error) {
	if o.URL == "" || o.Token == "" || o.Organization == "" {
		return o, errors.New("verify: URL, token and organization are required")
	}
	for _, n := range []float64{float64(o.Connections), float64(o.Subscriptions), float64(o.Pairs), o.Rate, float64(o.Duration), float64(o.Settle)} {
		if n < 0 {
			return o, errors.New("verify: numbers and times cannot be negative")
		}
	}
	orDefault(&o.Connections, 100)
	orDefault(&o.Subscriptions, 10)
	orDefault(&o.Pairs, max(o.Connections*o.Subscriptions/2, 4))
	orDefault(&o.Rate, 500)
	orDefault(&o.Duration, 30*time.Second)
	orDefault(&o.Settle, time.Minute)
	orDefault(&o.EventBytes, 350)
	orDefault(&o.BatchEvents, 100)
	if o.PublishURL == "" {
		o.PublishURL = o.URL
	}
	o.Subscriptions = min(o.Subscriptions, o.Pairs)
	return o, nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// A Report is the outcome of Verify.
type Report struct {
	Verdict

	Seconds float64 `json:"seconds"` // of publishing
	Rate    float64 `json:"rate"`    // events accepted a second
	// How long events took from before they were sent to the client's
	// handler, in milliseconds; those that came behind a lost connection, too.
	P50 float64 `json:"p50Millis"`
	P99 float64 `json:"p99Millis"`
	Max float64 `json:"maxMillis"`
}
