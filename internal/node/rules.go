package node

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// Rules are the settings of what follows from events. They must be the same on
// every node.
type Rules struct {
	ClosingAttempts []string `placeholder:"TYPE" help:"Types of attempt (LastAttemptTypeId) that close a callback (default: none; only its expiry closes one)."`
	UserCallbacks   string   `default:"detect" enum:"detect,derived,producer" help:"Who sends UserCallbackChanged: detect (RTE, until a producer is seen to), derived (RTE) or producer."`
	ListStatus      string   `default:"detect" enum:"detect,derived,producer" help:"Who sends CallbackListStatus: detect (RTE, but for lists whose status a producer sends), derived (RTE) or producer."`

	TimeZone              string        `default:"UTC" placeholder:"ZONE" help:"Time zone of the organizations, such as Europe/Helsinki: their day figures begin at its midnight."`
	OrganizationTimeZones []string      `placeholder:"ORG=ZONE" help:"Organizations in another zone."`
	AnswerWithin          time.Duration `default:"20s" help:"How soon a queue's calls should be answered, for its service level."`
	QueueAnswerWithin     []string      `placeholder:"QUEUE=TIME" help:"Queues with another threshold."`

	// LookEvery is how often counters of lists are looked at; 0: every 15 s, as
	// the product's page says.
	LookEvery time.Duration `kong:"-"`
}

// options reads the settings.
func (r *Rules) options() (o derive.Options, err error) {
	for _, text := range r.ClosingAttempts {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			return o, fmt.Errorf("--closing-attempts: %q is no whole number", text)
		}
		o.TerminalAttempts = append(o.TerminalAttempts, int32(n))
	}
	sources := map[string]derive.Source{"detect": derive.Detect, "derived": derive.Derived, "producer": derive.Producer}
	o.Every = r.LookEvery
	o.UserCallbacks, o.ListStatus = sources[r.UserCallbacks], sources[r.ListStatus]
	usual, err := time.LoadLocation(r.TimeZone)
	if err != nil {
		return o, fmt.Errorf("--time-zone: no zone is called %q; wanted one like Europe/Helsinki", r.TimeZone)
	}
	zones, err := byID("organization-time-zones", r.OrganizationTimeZones, func(text string) (*time.Location, error) {
		z, err := time.LoadLocation(text)
		if err != nil {
			return nil, fmt.Errorf("no zone is called %q; wanted one like Europe/Helsinki", text)
		}
		return z, nil
	})
	if err != nil {
		return o, err
	}
	o.Zone = func(org event.GUID) *time.Location {
		if z, ok := zones[org]; ok {
			return z
		}
		return usual
	}
	if r.AnswerWithin <= 0 {
		return o, fmt.Errorf("--answer-within must be above 0")
	}
	soon, err := byID("queue-answer-within", r.QueueAnswerWithin, func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return 0, fmt.Errorf("%q is no time above 0; wanted one like 30s", text)
		}
		return d, nil
	})
	if err != nil {
		return o, err
	}
	o.Threshold = func(_, queue event.GUID) time.Duration {
		if d, ok := soon[queue]; ok {
			return d
		}
		return r.AnswerWithin
	}
	return o, nil
}

// byID reads settings of the form ID=VALUE.
func byID[V any](flag string, settings []string, read func(text string) (V, error)) (map[event.GUID]V, error) {
	m := map[event.GUID]V{}
	for _, s := range settings {
		id, text, ok := strings.Cut(s, "=")
		g, err := event.ParseGUID(id)
		if !ok || err != nil {
			return nil, fmt.Errorf("--%s: %q must be a Guid, =, and a value", flag, s)
		}
		if m[g], err = read(strings.TrimSpace(text)); err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return m, nil
}
