package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// LoadOptions say what a load run does. URL, Token and Organization are
// required; zeros of the others mean the default of the scenario.
type LoadOptions struct {
	URL          string // of the node, with its base path; the hub is at URL/rte
	PublishURL   string // where the publish API is apart from the hub; default URL
	AdminURL     string // of one node's admin listener; without it the server's cost is not known
	Token        string // role service: it publishes
	Organization string // the token's, a Guid
	// Tokens makes the token of each client, so that each is a user of its own;
	// default [LoadOptions.Token] for all.
	Tokens func(number int) (string, error)

	Connections   int           // clients
	Subscriptions int           // pairs that each hears
	Queues        int           // pairs in all
	State         bool          // the pairs are of QueueStatus, of which a slow client may miss values
	Rate          float64       // events a second; 0: as fast as the node takes them
	Burst         int           // events of a pair at the same moment; default 1
	Window        int           // saturated: events under way; default 4 bursts
	Duration      time.Duration // of each measured phase; default 10 s
	Settle        time.Duration // how long the last events may take to arrive; default 30 s
	EventBytes    int           // of an event's data; default 350
	BatchEvents   int           // most in one request; default 100
	Publishers    int           // requests under way at a time; default 4
	Connectors    int           // clients that connect at a time; default 64
	Stalled       int           // of the clients, how many stop reading in a second phase
	Missed        int           // resume: events of each pair while nobody is connected; default 3

	Transport client.Transport // default WebSockets
	Protocol  signalr.Protocol // default JSON

	// Restart kills and starts the node between two phases, and returns when it
	// is ready; nil loses the connections only.
	Restart func(ctx context.Context) error
	// Progress is called every second, if not nil.
	Progress func(LoadProgress)
}

// LoadProgress is how far a load run has come.
type LoadProgress struct {
	Phase     string // "connecting", "publishing", …
	Elapsed   time.Duration
	Part      float64 // of the phase, 0 to 1; negative: not known
	Connected int
	Published uint64
	Heard     uint64
}

func (o *LoadOptions) hubURL() string { return strings.TrimRight(o.URL, "/") + "/rte" }

// errLoadOptions is what is missing of every scenario.
var errLoadOptions = errors.New("bench: URL, token and organization are required")

// withDefaults fills in what is not set; the scenario's own numbers are given.
func (o LoadOptions) withDefaults(connections, subscriptions, queues int) (LoadOptions, error) {
	if o.URL == "" || o.Token == "" || o.Organization == "" {
		return o, errLoadOptions
	}
	for _, n := range []float64{float64(o.Connections), float64(o.Subscriptions), float64(o.Queues), o.Rate, float64(o.Burst), float64(o.Window),
		float64(o.Duration), float64(o.Settle), float64(o.EventBytes), float64(o.Stalled), float64(o.Missed)} {
		if n < 0 {
			return o, errors.New("bench: numbers and times cannot be negative")
		}
	}
	orDefault(&o.Connections, connections)
	orDefault(&o.Subscriptions, subscriptions)
	orDefault(&o.Queues, queues)
	orDefault(&o.Burst, 1)
	orDefault(&o.Window, 4*o.Burst)
	orDefault(&o.Duration, 10*time.Second)
	orDefault(&o.Settle, 30*time.Second)
	orDefault(&o.EventBytes, 350)
	orDefault(&o.BatchEvents, 100)
	orDefault(&o.Publishers, 4)
	orDefault(&o.Connectors, 64)
	orDefault(&o.Missed, 3)
	orDefault(&o.Transport, client.WebSockets)
	if o.PublishURL == "" {
		o.PublishURL = o.URL
	}
	if o.Protocol == nil {
		o.Protocol = signalr.JSON{}
	}
	o.Publishers = min(o.Publishers, o.Queues)
	if o.Subscriptions > o.Queues {
		return o, fmt.Errorf("bench: %d subscriptions each need as many queues, there are %d", o.Subscriptions, o.Queues)
	}
	if o.Stalled >= o.Connections {
		return o, fmt.Errorf("bench: of %d clients %d cannot stall, somebody must hear", o.Connections, o.Stalled)
	}
	if o.Window < o.Burst {
		return o, fmt.Errorf("bench: a window of %d events has no room for a burst of %d", o.Window, o.Burst)
	}
	return o, nil
}
