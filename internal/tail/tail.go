package tail

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// Options of a [Handler]; but for Line the zero value is good.
type Options struct {
	// Line appends an event as a line's object: what a subscriber is pushed,
	// with a cursor of this room. Required.
	Line func(dst []byte, e *event.Event, cursor string) []byte
	// Heartbeat is the longest silence: a line without an event breaks it, which
	// has the cursor, too. Default 15 s.
	Heartbeat time.Duration
	// Patience is how long a reader may take no bytes. Default 30 s.
	Patience time.Duration
	// Logger gets a line when a reader comes and goes; nil means none.
	Logger *slog.Logger
}

// A Reader is who reads.
type Reader struct {
	Org   event.GUID // whose events
	Until time.Time  // when it must stop; zero is never
}

// An End is why a stream ended, as metrics name it.
type End string

// The ends of streams.
const (
	Left     End = "left"     // the reader went
	Slow     End = "slow"     // it took no bytes for Options.Patience
	Gone     End = "gone"     // what comes next is not kept any more
	Draining End = "draining" // Close was called
	Expired  End = "expired"  // Reader.Until has come
)

// Ends are all ends.
func Ends() []End { return []End{Left, Slow, Gone, Draining, Expired} }

// Stats is a snapshot of a handler's counters since its start.
type Stats struct {
	Streams int    // open
	Lines   uint64 // with events
	Ends    map[End]uint64
}

// A Handler serves streams. Safe for concurrent use.
type Handler struct {
	cat     *event.Catalog
	bus     *bus.Bus
	o       Options
	closing chan struct{}
	once    sync.Once
	lines   atomic.Uint64

	mu   sync.Mutex
	open int
	ends map[End]uint64
}

// New makes a handler of what a bus has stored.
func New(cat *event.Catalog, b *bus.Bus, o Options) *Handler {
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{cat: cat, bus: b, o: o, closing: make(chan struct{}), ends: map[End]uint64{}}
}

// Close ends every stream, with a last line that says so, and lets no other
// begin. It does not wait.
func (h *Handler) Close() { h.once.Do(func() { close(h.closing) }) }

// Stats is a snapshot.
func (h *Handler) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Streams: h.open, Lines: h.lines.Load(), Ends: map[End]uint64{}}
	for _, why := range Ends() {
		s.Ends[why] = h.ends[why]
	}
	return s
}

// Serve answers a request of a reader whose right has been checked. Its query
// has
//
//   - events: names of the events wanted, with commas; left out means all.
//   - after: the cursor of a line, behind which to go on; left out means what is
//     stored from now on, empty what is kept. The cursor of a push or of a
//     publish answer may stand there, too: it is a place among the states or
//     among the other events, and the others come from the beginning.
//
// The answer is 200 with lines of JSON, application/x-ndjson, until one side
// ends it. Most have an event; the member subscription tells them. Those without
// have cursor and time only, and the last one, if this side ends it, has error
// and cursor. Or it is 400 for a query that cannot be read, 410 if what came
// behind the cursor is not kept any more, and 503 if the store cannot be read or
// Close was called: with a JSON object that has error.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, who Reader) {
	s := &stream{h: h, w: w, ctx: r.Context(), who: who, control: http.NewResponseController(w), wake: make(chan struct{}, 1)}
	status, err := s.begin(r)
	if err != nil {
		h.o.Logger.Info("stream refused", "org", who.Org, "err", err)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "2")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) //nolint:errcheck // the reader has gone
		return
	}
	h.enter()
	h.o.Logger.Info("stream begins", "org", who.Org)
	why := s.run()
	s.stop()
	h.leave(why)
	h.o.Logger.Info("stream ended", "org", who.Org, "reason", string(why), "lines", s.lines)
}

func (h *Handler) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open++
}

func (h *Handler) leave(why End) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	h.ends[why]++
}

// begin reads the query and finds the place to begin. An error goes with the
// status of the answer.
func (s *stream) begin(r *http.Request) (status int, err error) {
	select {
	case <-s.h.closing:
		return http.StatusServiceUnavailable, errors.New("this node is about to stop; go on at another")
	default:
	}
	q := r.URL.Query()
	if s.wanted, err = s.h.kinds(q["events"]); err != nil {
		return http.StatusBadRequest, err
	}
	// First this: what is stored behind the place found is then heard of.
	s.stop, err = s.h.bus.Watch(s.who.Org, s.heard)
	if err != nil {
		return http.StatusServiceUnavailable, errAway
	}
	if q.Has("after") {
		s.at, err = s.h.bus.Position(s.ctx, s.who.Org, q.Get("after"))
	} else {
		s.at, err = s.h.bus.End(s.ctx, s.who.Org)
	}
	if err == nil {
		// Whether all of it is still kept shows with the first reading.
		_, _, _, err = s.h.bus.Scan(s.ctx, s.who.Org, s.at.Events)
	}
	if err == nil {
		return 0, nil
	}
	s.stop()
	switch {
	case errors.Is(err, bus.ErrPosition):
		return http.StatusBadRequest, errors.New("after: " + bus.ErrPosition.Error())
	case errors.Is(err, bus.ErrGone):
		return http.StatusGone, errors.New("after: " + bus.ErrGone.Error() + "; leave after out to go on from now, or empty to begin with what is kept")
	}
	return http.StatusServiceUnavailable, errAway
}

var errAway = errors.New("the event store cannot be read; try again")

// kinds are the events that are wanted; nil is all.
func (h *Handler) kinds(lists []string) (wanted map[event.Kind]bool, err error) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			t, ok := h.cat.Lookup(name)
			if !ok {
				return nil, errors.New("events: one of the names is no event; api/v1/asyncapi.json has all of them")
			}
			if wanted == nil {
				wanted = map[event.Kind]bool{}
			}
			wanted[t.Kind] = true
		}
	}
	return wanted, nil
}
