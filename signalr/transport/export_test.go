package transport

import (
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// What the fuzz targets look at from inside.

// FrameReader is a frameReader.
type FrameReader struct{ f frameReader }

// Consume feeds bytes; it returns the close status for broken frames.
func (r *FrameReader) Consume(p []byte, data func([]byte) error, ctl func(ws.OpCode, []byte) error) (ws.StatusCode, error) {
	err := r.f.consume(p, data, ctl)
	if status, ok := err.(closeError); ok { //nolint:errorlint // it is not wrapped
		return ws.StatusCode(status), err
	}
	return 0, err
}

// Held is the memory that the reader holds between calls, in bytes.
func (r *FrameReader) Held() int { return cap(r.f.control) }

// SignToken makes a token of an id.
func SignToken(secret []byte, id [16]byte, issued time.Time) string {
	return signToken(secret, id, 0, issued)
}

// OpenToken checks a token.
func OpenToken(secret []byte, token string, now time.Time) (id [16]byte, age time.Duration, ok bool) {
	t, ok := openToken(secret, token, now)
	return t.id, t.age, ok
}

// NegotiateVersion reads the version of a request.
func NegotiateVersion(r *http.Request) (version int, failure string) { return negotiateVersion(r) }

// Spent is how many used tokens the handler remembers.
func (h *Handler) Spent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.spent)
}

// Unwatched gives each WebSocket of a new handler a goroutine, as where there
// is no poller.
func Unwatched(h *Handler) { h.pollers.none() }
