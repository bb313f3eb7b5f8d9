package hub_test

import (
	"context"
	"fmt"
	"testing"

	"rte/signalr"
	"rte/signalr/hub"
)

// A method that its user may not call says so, however deep it finds out.
func TestUnauthorized(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{
			DetailedErrors: true, // makes no difference
			Methods: map[string]hub.Method{"Admin": func(context.Context, *hub.Call) (signalr.Value, error) {
				return nil, fmt.Errorf("look up the role: %w", hub.ErrUnauthorized)
			}},
			Streams: map[string]hub.Stream{"Watch": func(context.Context, *hub.Call, func(signalr.Value) error) error {
				return hub.ErrUnauthorized
			}},
		}
	}
	everywhere(t, options, func(s *site) {
		k := s.meet()
		k.send(call("1", "aDMIN"))
		k.expect(failure("1", "Failed to invoke 'aDMIN' because user is unauthorized"))
		k.send(`{"type":4,"invocationId":"2","target":"Watch","arguments":[]}`)
		k.expect(failure("2", "Failed to invoke 'Watch' because user is unauthorized"))
	})
}
