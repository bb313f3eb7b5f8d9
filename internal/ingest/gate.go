package ingest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"rte/internal/event"
)

// DefaultMaxHeldBytes is what all requests together may hold of their bodies.
const DefaultMaxHeldBytes = 512 << 20

const (
	// share is the part of it that one organization may take: another's
	// flood must leave room.
	share = 4
	// gatePatience is how long a request waits to be let in. A burst passes;
	// who still waits then is better told to come back.
	gatePatience = 2 * time.Second
	// requestBytes is what a request costs beside its body.
	requestBytes = 16 << 10
	// batchBytes ends a batch before it has batchSize events: large events
	// must not make a stream's memory large.
	batchBytes = 1 << 20
)

// Why the gate lets nobody in.
var (
	errOrgFull  = errors.New("too many publish requests of this organization are under way")
	errNodeFull = errors.New("too many publish requests are under way on this node")
)

// A gate bounds what the requests under way hold in memory, in bytes: not
// their number, so that a producer of many small requests is not refused. Its
// methods are safe for concurrent use.
type gate struct {
	most, mostEach int64

	mu    sync.Mutex
	held  int64
	each  map[event.GUID]int64 // without the zeros
	freed chan struct{}        // closed when somebody leaves; nil while nobody waits
}

func newGate(most int64) *gate {
	return &gate{most: most, mostEach: max(1, most/share), each: map[event.GUID]int64{}}
}

// enter waits for size bytes of the organization's share. Publishers for any
// organization share the zero Guid's. A request that is larger than all there
// is waits until it is alone.
func (g *gate) enter(ctx context.Context, org event.GUID, size int64) (leave func(), err error) {
	size = min(size, g.mostEach)
	var late <-chan time.Time
	for {
		freed, err := g.try(org, size)
		if err == nil {
			return func() { g.leave(org, size) }, nil
		}
		if late == nil {
			timer := time.NewTimer(gatePatience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, errNodeFull
		}
	}
}

func (g *gate) try(org event.GUID, size int64) (freed <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.each[org]+size > g.mostEach:
		err = errOrgFull
	case g.held+size > g.most:
		err = errNodeFull
	default:
		g.held += size
		g.each[org] += size
		return nil, nil
	}
	if g.freed == nil {
		g.freed = make(chan struct{})
	}
	return g.freed, err
}

func (g *gate) leave(org event.GUID, size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held -= size
	if g.each[org] -= size; g.each[org] == 0 {
		delete(g.each, org)
	}
	if g.freed != nil {
		close(g.freed)
		g.freed = nil
	}
}

// weight is the most that a request may hold while it is read.
func (h *HTTP) weight(r *http.Request, stream bool) int64 {
	switch {
	case stream:
		return requestBytes + batchBytes + int64(h.maxLine())
	case plainBody(r) && r.ContentLength >= 0:
		return requestBytes + min(r.ContentLength, h.maxBody)
	}
	return requestBytes + h.maxBody
}
