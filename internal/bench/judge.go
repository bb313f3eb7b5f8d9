package bench

import (
	"fmt"
	"slices"
	"strconv"
)

// A Verdict is what a history shows. It is good when nothing is wrong.
type Verdict struct {
	Clients   int    `json:"clients"`
	Pairs     int    `json:"pairs"`
	Hearings  int    `json:"hearings"` // clients × pairs they hear
	Sent      uint64 `json:"sent"`     // events
	Accepted  uint64 `json:"accepted"` // by the node
	Heard     uint64 `json:"heard"`    // events × clients
	Skipped   uint64 `json:"skipped"`  // older values of states that a newer one replaced; allowed
	Reconnect uint64 `json:"reconnects"`

	// What must be zero. Events × clients each, but for Unrecovered.
	Lost        uint64 `json:"lost"`        // accepted and never heard
	Doubled     uint64 `json:"doubled"`     // heard again
	Disordered  uint64 `json:"disordered"`  // heard after a later one
	Unrecovered uint64 `json:"unrecovered"` // times a client was told that it may have missed events
	Noise       uint64 `json:"noise"`       // pushed, and sent by nobody

	Wrong []string `json:"wrong,omitempty"` // the first of them, in words
}

// Good tells whether everything that must be zero is.
func (v *Verdict) Good() bool {
	return v.Lost|v.Doubled|v.Disordered|v.Unrecovered|v.Noise == 0
}

// maxWrong is how many faults a verdict tells in words.
const maxWrong = 20

// A Judge compares what was heard with what was sent. It has no clock and
// knows no network: the same records give the same verdict. Not safe for
// concurrent use.
type Judge struct {
	verdict Verdict
	pairs   []judgedPair
	clients map[int]bool // true once it has been connected
	hears   map[hearing]*heard
	order   []hearing // as subscribed, for a verdict that is always the same
}

type judgedPair struct {
	name           string
	state          bool
	sent, accepted uint64
}

type hearing struct{ client, pair int }

// heard is how far a client has come with a pair.
type heard struct {
	last  uint64
	loose bool                // it was told that it may have missed some
	holes map[uint64]struct{} // numbers jumped over; they may still come, too late
}

// NewJudge makes a judge of an empty history.
func NewJudge() *Judge {
	return &Judge{clients: map[int]bool{}, hears: map[hearing]*heard{}}
}

// Take takes the next record. An error means that the record makes no sense
// behind those before it.
func (j *Judge) Take(r Record) error {
	switch r.Kind {
	case PairNamed:
		if r.Pair != len(j.pairs) {
			return fmt.Errorf("pair %d comes behind %d pairs", r.Pair, len(j.pairs))
		}
		j.pairs = append(j.pairs, judgedPair{name: r.Entity + ":" + r.Event, state: r.State})
		return nil
	case Connected:
		if j.clients[r.Client] {
			j.verdict.Reconnect++
		}
		j.clients[r.Client] = true
		return nil
	case Lost:
		return nil
	case Noise:
		j.verdict.Noise++
		j.blame("client %d was pushed what nobody has sent: %s", r.Client, r.Text)
		return nil
	}
	if r.Pair < 0 || r.Pair >= len(j.pairs) {
		return fmt.Errorf("there is no pair %d", r.Pair)
	}
	return j.takePair(r, &j.pairs[r.Pair])
}

// takePair takes a record about a pair.
func (j *Judge) takePair(r Record, p *judgedPair) error {
	at := hearing{r.Client, r.Pair}
	switch r.Kind {
	case Sent:
		p.sent = max(p.sent, r.N)
		return nil
	case Accepted:
		p.accepted = max(p.accepted, r.N)
		return nil
	case Subscribed:
		if j.hears[at] == nil {
			j.hears[at] = &heard{}
			j.order = append(j.order, at)
		}
		return nil
	case Heard, Unrecovered:
	default:
		return fmt.Errorf("%q is no kind of record", r.Kind)
	}
	h := j.hears[at]
	if h == nil {
		return fmt.Errorf("client %d has not subscribed to pair %d", r.Client, r.Pair)
	}
	if r.Kind == Unrecovered {
		j.verdict.Unrecovered++
		j.blame("client %d was told that it may have missed events of %s behind %d", r.Client, p.name, h.last)
		h.loose = true
		return nil
	}
	j.verdict.Heard++
	j.hear(at, p, h, r.N)
	return nil
}

// hear takes one event of a pair.
func (j *Judge) hear(at hearing, p *judgedPair, h *heard, n uint64) {
	v := &j.verdict
	_, late := h.holes[n]
	switch {
	case n == 0 || n > p.sent:
		v.Noise++
		j.blame("client %d heard event %d of %s, of which %d were sent", at.client, n, p.name, p.sent)
		return
	case n > h.last:
		j.jump(at, p, h, n)
		h.last, h.loose = n, false
	case late && !p.state:
		delete(h.holes, n)
		v.Lost--
		fallthrough
	case late:
		v.Disordered++
		j.blame("client %d heard event %d of %s behind %d", at.client, n, p.name, h.last)
	default:
		v.Doubled++
		j.blame("client %d heard event %d of %s again, behind %d", at.client, n, p.name, h.last)
	}
}

// jump notes what was left out before event n. Holes are bounded only by what
// is wrong: a good history has none but those of states.
func (j *Judge) jump(at hearing, p *judgedPair, h *heard, n uint64) {
	missing := n - h.last - 1
	if missing == 0 {
		return
	}
	if p.state {
		j.verdict.Skipped += missing
	} else if !h.loose {
		j.verdict.Lost += missing
		j.blame("client %d missed %s of %s", at.client, span(h.last+1, n-1), p.name)
	}
	if h.holes == nil {
		h.holes = map[uint64]struct{}{}
	}
	if p.state {
		clear(h.holes) // older ones are behind any later value as well
	}
	for i := n - min(missing, maxHoles); i < n; i++ {
		h.holes[i] = struct{}{}
	}
}

// maxHoles bounds what is remembered of one jump: an older event that comes
// after all counts as doubled then.
const maxHoles = 1000

func span(first, last uint64) string {
	if first == last {
		return "event " + strconv.FormatUint(first, 10)
	}
	return fmt.Sprintf("events %d to %d", first, last)
}

func (j *Judge) blame(format string, args ...any) {
	if len(j.verdict.Wrong) < maxWrong {
		j.verdict.Wrong = append(j.verdict.Wrong, fmt.Sprintf(format, args...))
	}
}

// Behind is how many of a history's hearings have not come to the last
// accepted event yet.
func (j *Judge) Behind() (n int) {
	for at, h := range j.hears {
		if h.last < j.pairs[at.pair].accepted {
			n++
		}
	}
	return n
}

// Verdict is what the records so far show, if nothing more comes. More may be
// taken behind it.
func (j *Judge) Verdict() Verdict {
	before := j.verdict
	for _, p := range j.pairs {
		j.verdict.Sent += p.sent
		j.verdict.Accepted += p.accepted
	}
	for _, at := range j.order {
		p, h := &j.pairs[at.pair], j.hears[at]
		if h.last >= p.accepted || h.loose {
			continue
		}
		if p.state {
			j.verdict.Lost++
			j.blame("client %d has value %d of %s, the last is %d", at.client, h.last, p.name, p.accepted)
			continue
		}
		j.verdict.Lost += p.accepted - h.last
		j.blame("client %d never heard %s of %s", at.client, span(h.last+1, p.accepted), p.name)
	}
	v := j.verdict
	v.Clients, v.Pairs, v.Hearings = len(j.clients), len(j.pairs), len(j.order)
	v.Wrong = slices.Clone(v.Wrong)
	j.verdict = before
	return v
}
