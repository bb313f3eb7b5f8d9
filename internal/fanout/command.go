package fanout

import (
	"encoding/json"
	"time"

	"rte/internal/event"
)

// Commands ask another program to do something now, so they are not delivered
// late, and what has no end is not repeated (docs/architecture.md, "Commands").
const (
	dialEvent    = "UserActionMobileCall"
	dialValidity = 30 * time.Second
	cliEvent     = "UserConfigurationSetNextCLI"
)

// outdated tells whether an event is a command whose time has passed. Nearly
// all events are no commands.
func (x *Index) outdated(e *event.Event, now time.Time) bool {
	switch e.Kind {
	case x.dial:
		return now.Sub(e.Stored) > dialValidity
	case x.cli:
		c := readCLI(e.Data)
		return !c.Permanent && now.Sub(e.Stored) > time.Duration(c.TimeToLive)*time.Second
	}
	return false
}

// replayable tells whether a client that was away is to have an event.
func (x *Index) replayable(e *event.Event, now time.Time) bool {
	return !x.outdated(e, now) && (e.Kind != x.cli || !readCLI(e.Data).Permanent)
}

// A cli is what UserConfigurationSetNextCLI says of its time.
type cli struct {
	Permanent  bool
	TimeToLive int32 // seconds
}

func readCLI(data []byte) (c cli) {
	if json.Unmarshal(data, &c) != nil { // it was checked, but for check mode off
		return cli{}
	}
	return c
}
