package hub

import "rte/signalr"

// renew puts a state of n bytes in the place of the newest older value that
// waits. It reports whether there is one. What has been written stays: with
// stateful reconnect it is counted. What was queued before an answer stays, too:
// nothing may come before the answer to the Subscribe that asked for it.
//
// Many clients may be slow at once, and they get each event under one lock: so
// where the values wait is found once, and kept up while the client is slow. The
// caller holds mu.
func (o *outbox) renew(f *signalr.Frame, n int, p signalr.Protocol, most int) bool {
	if o.states == nil {
		o.states, o.taken = map[any]int{}, 0
		for i := range o.pending {
			o.note(i)
		}
	}
	i, waits := o.states[f.Key()]
	if i -= o.taken; !waits || i < 0 {
		return false
	}
	b, err := o.pending[i].Bytes(p) // encoded when it was queued
	if err != nil || o.bytes+n-len(b) > most {
		return false
	}
	o.pending[i] = f
	o.bytes += n - len(b)
	return true
}

// note takes down where a state waits that may be renewed. The caller holds mu.
func (o *outbox) note(i int) {
	f := o.pending[i]
	if f.IsState() {
		o.states[f.Key()] = o.taken + i
	} else if _, answer := f.Message().(*signalr.Completion); answer {
		clear(o.states)
	}
}
