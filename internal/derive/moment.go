package derive

import (
	"time"

	"rte/internal/event"
)

// A moment is in microseconds since 1970, UTC: the year 9999 fits, which
// nanoseconds would not let it. Dates of payloads are cut to it.
type moment int64

const (
	never   moment = 1 << 61 // far enough from the end to be reckoned with
	unknown moment = -never  // before the first tick

	second = moment(time.Second / time.Microsecond)
	hour   = 3600 * second
	day    = 24 * hour
)

func momentOf(t time.Time) moment { return moment(t.UnixMicro()) }

// time is the moment in UTC; the zero time for never and unknown.
func (m moment) time() time.Time {
	if m == never || m == unknown {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// span is a duration to reckon with.
func span(d time.Duration) moment { return moment(d / time.Microsecond) }

// stamp is when an event came: by the store's clock, else its own.
func stamp(e *event.Event) moment {
	if !e.Stored.IsZero() {
		return momentOf(e.Stored)
	}
	return momentOf(e.Time)
}

// An entry is something that waits for a moment in an agenda.
type entry[T any] interface {
	comparable
	due() moment
	before(T) bool // by moment, then by a name: the order is the same everywhere
	place() *int   // where it is in the agenda, from 1; 0: nowhere. The agenda's
}

// An agenda is a heap of what waits: the next moment costs nothing to look at,
// a change the logarithm of how many wait. The zero value is empty.
type agenda[T entry[T]] []T

// set puts x where its moment belongs; it may be in the agenda already.
func (a *agenda[T]) set(x T) {
	at := x.place()
	if *at == 0 {
		*a = append(*a, x)
		*at = len(*a)
	}
	a.down(a.up(*at - 1))
}

// remove takes x out; it need not be there.
func (a *agenda[T]) remove(x T) {
	i, last := *x.place()-1, len(*a)-1
	if i < 0 {
		return
	}
	a.swap(i, last)
	var none T
	(*a)[last] = none
	*a = (*a)[:last]
	*x.place() = 0
	if i < last {
		a.down(a.up(i))
	}
}

// next is the first whose moment has come.
func (a agenda[T]) next(now moment) (x T, ok bool) {
	if len(a) == 0 || a[0].due() > now {
		return x, false
	}
	return a[0], true
}

func (a agenda[T]) swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	*a[i].place(), *a[j].place() = i+1, j+1
}

func (a agenda[T]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !a[i].before(a[parent]) {
			break
		}
		a.swap(i, parent)
		i = parent
	}
	return i
}

func (a agenda[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(a) {
			return
		}
		if child+1 < len(a) && a[child+1].before(a[child]) {
			child++
		}
		if !a[child].before(a[i]) {
			return
		}
		a.swap(i, child)
		i = child
	}
}
