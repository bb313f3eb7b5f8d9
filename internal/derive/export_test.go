package derive

import "rte/internal/event"

// Kept is the record of a callback that is remembered.
func (r *Rules) Kept(org, id event.GUID) []byte {
	o := r.orgs[org]
	return o.callbacks[id].record(o).Record
}
