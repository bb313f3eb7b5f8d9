package ingest

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// DefaultMaxBodyBytes is the largest object or array body (contract.md,
// --max-body-bytes). NDJSON bodies have no limit.
const DefaultMaxBodyBytes = 8 << 20

// ErrForbidden is what authorize returns for a caller who is known but may
// not publish at all; the answer is 403.
var ErrForbidden = errors.New("this token's role may not publish; service and platform may")

// ErrUndecided is what authorize returns when it cannot say now who a caller
// is; the answer is 503.
var ErrUndecided = errors.New("who is publishing cannot be told at present, try again")

// A Publisher is who a request comes from.
type Publisher struct {
	Org event.GUID // the organization it publishes for
	Any bool       // it publishes for any organization (role platform)
}

// Options of the HTTP door; the zero value is a good server.
type Options struct {
	// MaxBodyBytes bounds an object or array body, counted after
	// decompression; 0 means [DefaultMaxBodyBytes].
	MaxBodyBytes int64
	// MaxEventBytes bounds the data of one event in wire form; 0 means
	// [DefaultMaxEventBytes]. An NDJSON line must be shorter than twice
	// that and 8 KiB.
	MaxEventBytes int
	// MaxHeldBytes bounds what all requests under way hold of their bodies; 0
	// means [DefaultMaxHeldBytes]. One organization may take a quarter.
	// Requests beyond it wait for two seconds and are then answered 429 or
	// 503.
	MaxHeldBytes int64
	// Allow says whether one more event of an organization may come now, with
	// so many bytes of data; if not, why, and after how long it would be let.
	// Such an event and those behind it are answered 429, with Retry-After. It
	// must not block. nil lets all come.
	Allow func(org event.GUID, bytes int) (wait time.Duration, err error)
	// Drift gets what differs from the catalogue; nil means a report of the
	// door's own, with Logger.
	Drift *Drift
	// Logger gets one line for each request that was refused or had items
	// refused, never a payload; nil means none.
	Logger *slog.Logger
}

// Stats counts since the start.
type Stats struct {
	Requests     uint64 // all
	Accepted     uint64 // events stored
	Rejected     uint64 // items refused, the listed ones
	Unreadable   uint64 // answers 400
	Unauthorized uint64 // answers 401
	Forbidden    uint64 // answers 403
	TooLarge     uint64 // answers 413
	TooMany      uint64 // answers 429
	Unavailable  uint64 // answers 503

	Drift []DriftCount // where producers and the catalogue disagree
}

// HTTP is POST /api/v1/events (contract.md). It is safe for concurrent use
// and holds nothing between requests: a request's items are stored in batches
// while it is read, and the next are not read until the store has answered.
//
// An NDJSON stream may have any length; an object or an array is read and
// found well-formed as a whole before anything is stored. It relies on the
// server's read timeout against a body that does not come, and stops when
// the request's context ends.
//
// Every answer but 401, which is empty, is a JSON object. An answer that
// follows items has accepted, rejected and cursor ("" if nothing was
// accepted); next names the first item that still has to be sent. Items are
// numbered from 0, blank lines of a stream are none.
//
//   - 200: every item before next has its verdict, also if all were refused.
//   - 400: the body is not readable from the place that offset, line and
//     column name on. A stream's items before it have their verdict.
//   - 403: the caller may not publish, or all items were refused for an
//     organization that is not the caller's. A body with other items too
//     gets a verdict for each.
//   - 408: the body did not come within the server's read timeout.
//   - 413: an object or array is over the limit.
//   - 415: Content-Type, charset or Content-Encoding are not read here.
//   - 429: the publisher's other requests hold as much as they may, or it
//     sends more events than it may ([Options.Allow]).
//   - 503: the store is not available, the requests of all publishers hold as
//     much as they may, or the request's context has ended.
//     If the store took some items behind next, stored names them: they are
//     not to be sent again, or all are to have an id.
type HTTP struct {
	cat       *event.Catalog
	authorize func(*http.Request) (Publisher, error)
	store     func(context.Context, []*event.Event) []error
	maxBody   int64
	maxEvent  int
	gate      *gate
	allow     func(event.GUID, int) (time.Duration, error)
	drift     *Drift
	log       *slog.Logger

	requests, accepted, rejected                                        atomic.Uint64
	unreadable, unauthorized, forbidden, tooLarge, tooMany, unavailable atomic.Uint64
}

// NewHTTP makes the door. authorize says who is publishing; its error means
// 401, 403 if it is [ErrForbidden], or 503 if it is [ErrUndecided]. store stores a batch and sets each
// event's Cursor; nil means that all are stored, else there is an error per
// event, nil for the stored ones; one that wraps [event.ErrUnavailable] is
// worth another try, any other is final. Events of one pair reach store in
// the order of the body.
func NewHTTP(cat *event.Catalog, authorize func(*http.Request) (Publisher, error), store func(context.Context, []*event.Event) []error, o Options) *HTTP {
	h := &HTTP{cat: cat, authorize: authorize, store: store, maxBody: o.MaxBodyBytes, maxEvent: o.MaxEventBytes, allow: o.Allow, drift: o.Drift, log: o.Logger}
	if h.maxBody <= 0 {
		h.maxBody = DefaultMaxBodyBytes
	}
	if h.maxEvent <= 0 {
		h.maxEvent = DefaultMaxEventBytes
	}
	if o.MaxHeldBytes <= 0 {
		o.MaxHeldBytes = DefaultMaxHeldBytes
	}
	h.gate = newGate(o.MaxHeldBytes)
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.drift == nil {
		h.drift = NewDrift(cat, h.log)
	}
	return h
}

// Stats is a snapshot.
func (h *HTTP) Stats() Stats {
	return Stats{
		Requests:     h.requests.Load(),
		Accepted:     h.accepted.Load(),
		Rejected:     h.rejected.Load(),
		Unreadable:   h.unreadable.Load(),
		Unauthorized: h.unauthorized.Load(),
		Forbidden:    h.forbidden.Load(),
		TooLarge:     h.tooLarge.Load(),
		TooMany:      h.tooMany.Load(),
		Unavailable:  h.unavailable.Load(),
		Drift:        h.drift.Counts(),
	}
}

// ServeHTTP answers one publish request.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.refuse(w, r, http.StatusMethodNotAllowed, "events are published with POST")
		return
	}
	publisher, err := h.authorize(r)
	if errors.Is(err, ErrForbidden) {
		h.refuse(w, r, http.StatusForbidden, ErrForbidden.Error())
		return
	} else if errors.Is(err, ErrUndecided) {
		h.write(w, r, &answer{Error: ErrUndecided.Error(), Next: new(int), status: http.StatusServiceUnavailable})
		return
	} else if err != nil {
		h.unauthorized.Add(1)
		h.log.InfoContext(r.Context(), "publish unauthorized", "err", err)
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	stream, ok := h.bodyKind(w, r)
	if !ok {
		return
	}
	t := &intake{
		h: h, ctx: r.Context(), publisher: publisher,
		envelopes: envelopes{cat: h.cat, maxEventBytes: h.maxEvent, drift: h.drift},
	}
	if leave, err := h.gate.enter(t.ctx, publisher.Org, h.weight(r, stream)); err != nil {
		t.full(err)
	} else {
		defer leave()
		defer interruptRead(w, r)()
		t.body(w, r, stream)
	}
	h.write(w, r, &t.answer)
}

// maxLine is the length of the longest line of a stream, in bytes: room for
// the envelope, and for escapes in data that its wire form does not have.
func (h *HTTP) maxLine() int { return 2*h.maxEvent + 8<<10 }

// bodyKind looks at the headers: is the body a stream of lines, and can it
// be read at all? If not, it has answered.
func (h *HTTP) bodyKind(w http.ResponseWriter, r *http.Request) (stream, ok bool) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		h.refuse(w, r, http.StatusUnsupportedMediaType, "the Content-Type cannot be read; send application/json or application/x-ndjson")
		return false, false
	}
	switch {
	case media == "application/x-ndjson" || media == "application/ndjson" || media == "application/jsonl":
		stream = true
	case media == "" || media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"):
	case media == "text/plain" || media == "application/octet-stream" || media == "application/x-www-form-urlencoded":
		// What fetch and curl say when they are told nothing.
	default:
		h.refuse(w, r, http.StatusUnsupportedMediaType, "the body is not JSON by its Content-Type; send application/json or application/x-ndjson")
		return false, false
	}
	if c := strings.ToLower(params["charset"]); c != "" && c != "utf-8" && c != "utf8" && c != "us-ascii" {
		h.refuse(w, r, http.StatusUnsupportedMediaType, "the charset is not known here; send UTF-8")
		return false, false
	}
	if !plainBody(r) && !zippedBody(r) {
		w.Header().Set("Accept-Encoding", "gzip")
		h.refuse(w, r, http.StatusUnsupportedMediaType, "the Content-Encoding is not known here; send gzip or none")
		return false, false
	}
	return stream, true
}

func contentEncoding(r *http.Request) string {
	return strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
}

func plainBody(r *http.Request) bool {
	e := contentEncoding(r)
	return e == "" || e == "identity"
}

func zippedBody(r *http.Request) bool {
	e := contentEncoding(r)
	return e == "gzip" || e == "x-gzip"
}

// unzipped is the body as its sender wrote it.
func unzipped(r *http.Request, body io.Reader) (io.Reader, error) {
	if plainBody(r) {
		return body, nil
	}
	return gzip.NewReader(body)
}

// interruptRead makes a read of the body that is waiting end when the
// request's context ends. The function it returns undoes that and waits.
func interruptRead(w http.ResponseWriter, r *http.Request) (undo func()) {
	done := make(chan struct{}) // closed by the function below, if it runs
	stop := context.AfterFunc(r.Context(), func() {
		defer close(done)
		// Not every ResponseWriter can; then the server's timeout has to do.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

func (h *HTTP) tooLargeText() string {
	return "the body is larger than " + strconv.FormatInt(h.maxBody, 10) +
		" bytes; send fewer events at once, or one per line as application/x-ndjson, which has no limit"
}
