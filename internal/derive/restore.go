package derive

import (
	"fmt"
	"time"
)

// RestoreFigures takes back what was kept of a queue's day.
func (r *Rules) RestoreFigures(f *Figures) error {
	at, err := time.Parse(time.DateOnly, f.Day)
	if err != nil {
		return fmt.Errorf("restore figures of queue %v: day is not like 2026-11-25", f.QueueID)
	}
	o := r.organization(f.OrganizationID)
	if o.queues[f.QueueID] != nil {
		return fmt.Errorf("restore figures of queue %v: they were given twice", f.QueueID)
	}
	q := r.newQueue(o, f.QueueID)
	if q == nil {
		return nil
	}
	q.is, q.floor, q.day = *f, f.Sequence, at.Unix()/(24*60*60)
	q.is.Waiting = nil
	zone := r.options.zone(o.id)
	for _, w := range f.Waiting {
		if o.calls[w.CallID] == nil {
			r.wait(q, &call{id: w.CallID, queue: q, since: w.Since.UTC(), day: dayOf(w.Since, zone)})
		}
	}
	return nil
}
