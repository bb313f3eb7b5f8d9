package derive

import (
	"errors"
	"fmt"
	"time"

	"rte/internal/event"
)

func (r *Rules) restoreUser(org, id event.GUID) error {
	o := r.organization(org)
	if o.users[id] == nil && r.users < r.options.MaxEntities {
		o.users[id] = &user{}
		r.users++
	}
	if u := o.users[id]; u != nil && !u.serving && len(u.lists) == 0 {
		u.serving = true
	}
	return nil
}

func (r *Rules) restoreList(k *keptList) {
	o := r.organization(k.Organization)
	l := r.list(o, k.ID)
	if l == nil {
		return
	}
	if k.Registered {
		r.SetList(k.Organization, k.ID, k.Auto, k.Agents)
	}
	l.sent, l.last, l.sends, l.would = k.Sent, k.Last.counters(), detected{k.On, k.Missed}, k.Would.counters()
	r.touch(l, k.Cause)
}

func (r *Rules) restoreQueue(k *keptQueue) error {
	q, err := r.restoreFigures(&k.Figures)
	if err == nil && q != nil && k.Waiting && !q.waiting {
		q.waiting = true
		r.queues[q.slot] = append(r.queues[q.slot], q)
	}
	return err
}

// RestoreFigures takes back what was kept of a queue's day.
func (r *Rules) RestoreFigures(f *Figures) error {
	if _, err := r.restoreFigures(f); err != nil {
		return fmt.Errorf("restore figures of queue %v: %w", f.QueueID, err)
	}
	return nil
}

func (r *Rules) restoreFigures(f *Figures) (*queue, error) {
	at, err := time.Parse(time.DateOnly, f.Day)
	if err != nil {
		return nil, errors.New("day is not like 2026-11-25")
	}
	o := r.organization(f.OrganizationID)
	if o.queues[f.QueueID] != nil {
		return nil, errors.New("they were given twice")
	}
	q := r.newQueue(o, f.QueueID)
	if q == nil {
		return nil, nil
	}
	q.is, q.floor, q.day = *f, f.Sequence, at.Unix()/(24*60*60)
	q.is.Waiting = nil
	zone := r.options.zone(o.id)
	for _, w := range f.Waiting {
		if o.calls[w.CallID] == nil {
			r.wait(q, &call{id: w.CallID, queue: q, since: w.Since.UTC(), day: dayOf(w.Since, zone)})
		}
	}
	return q, nil
}
