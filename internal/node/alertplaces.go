package node

import (
	"context"
	"errors"
	"time"

	"rte/internal/event"
)

// Places are what a user's alerts take, of maxAlerts. They are one value of the
// store, which only one request changes at a time, at whichever node: so two
// that come at once cannot both get the last place.
type places struct {
	Of map[event.GUID]time.Time `json:"of"` // by alert: when it was taken
}

// errNoPlace means that a user has maxAlerts.
var errNoPlace = errors.New("no place for another alert")

// placeIdle is after what time a place whose alert is not there is free again:
// its request ended in the middle.
const placeIdle = time.Minute

// takePlace takes a place for an alert that is about to be kept.
func (c *consequences) takePlace(ctx context.Context, org, user, id event.GUID) error {
	c.placing.Lock() // many requests of one node need not get in one another's way
	defer c.placing.Unlock()
	now := time.Now()
	_, err := c.shelf.takenPlaces.Change(ctx, shelfKey(org, user), func(p places, _ bool) (places, bool, error) {
		if p.Of == nil {
			p.Of = map[event.GUID]time.Time{}
		}
		if len(p.Of) >= maxAlerts {
			if err := c.clear(ctx, org, &p, now); err != nil {
				return p, true, err
			}
		}
		if len(p.Of) >= maxAlerts {
			return p, true, errNoPlace
		}
		p.Of[id] = now.UTC()
		return p, false, nil
	})
	return err
}

// clear gives back places whose alerts are not in the store.
func (c *consequences) clear(ctx context.Context, org event.GUID, p *places, now time.Time) error {
	for id, taken := range p.Of {
		if _, known := c.alert(org, id); known || now.Sub(taken) < placeIdle {
			continue
		}
		_, ok, err := c.shelf.alerts.Get(ctx, shelfKey(org, id))
		if err != nil {
			return err
		}
		if !ok {
			delete(p.Of, id)
		}
	}
	return nil
}

// givePlace gives an alert's place back. It may fail: then somebody who needs
// it finds it free.
func (c *consequences) givePlace(ctx context.Context, org, user, id event.GUID) error {
	c.placing.Lock()
	defer c.placing.Unlock()
	_, err := c.shelf.takenPlaces.Change(ctx, shelfKey(org, user), func(p places, ok bool) (places, bool, error) {
		if _, taken := p.Of[id]; !ok || !taken {
			return p, true, nil
		}
		delete(p.Of, id)
		return p, false, nil
	})
	return err
}
