package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"rte/internal/event"
)

const (
	// maxRejected is how many rejections one answer lists (contract.md).
	maxRejected = 1000
	// batchSize is how many events are stored at once: from some hundred on
	// the store gains nothing by more (architecture.md §3).
	batchSize = 256
)

// An intake is one request being read, item by item. It is used by one
// goroutine.
type intake struct {
	h         *HTTP
	ctx       context.Context // the request's: an intake lives as long
	publisher Publisher
	envelopes envelopes

	batch   []*event.Event // checked and not yet stored
	indices []int          // of the items in batch
	size    int            // bytes of data in batch
	next    int            // index of the item to be read next
	over    error          // why the item to be read next must wait
	answer  answer
}

// ready reports whether one more item may be taken; if not, the answer is
// complete. It stores a full batch, and one whose events could, if the store
// refused them all, fill the list of rejections.
func (t *intake) ready() bool {
	if t.over != nil || len(t.batch) >= batchSize || t.size >= batchBytes || len(t.batch)+len(t.answer.Rejected) >= maxRejected {
		if !t.flush() {
			return false
		}
	}
	if len(t.answer.Rejected) >= maxRejected {
		t.stopAt(t.next)
		return false
	}
	return true
}

// take reads the item at offset at of text and returns where it ends. If
// alone, nothing but white space may follow it. A fault means that the item
// is not JSON; it has then not been taken.
func (t *intake) take(text []byte, at int, alone bool) (end int, fault *Error) {
	e, end, refusal := t.envelopes.read(text, at)
	if refusal != nil {
		if end, fault = wellFormed(text, at); fault != nil {
			return 0, fault
		}
	}
	if alone {
		if fault = atEnd(text, end); fault != nil {
			return 0, fault
		}
	}
	index := t.next
	t.next++
	switch {
	case refusal != nil:
		if refusal.Kind != kindNone {
			t.envelopes.settle(t.publisher.Org)
		}
		t.reject(index, refusal.Path, refusal.Text())
	case !t.publisher.Any && e.Org != t.publisher.Org:
		t.answer.foreign++
		t.reject(index, "$.organizationId", "found an organization that this token may not publish for, wanted the token's own")
	case !t.allowed(e):
		t.next = index // it has no verdict
	default:
		t.envelopes.settle(e.Org)
		t.batch = append(t.batch, e)
		t.indices = append(t.indices, index)
		t.size += len(e.Data)
	}
	return end, nil
}

func (t *intake) reject(index int, path, text string) {
	t.answer.Rejected = append(t.answer.Rejected, rejection{index, path, text})
}

// allowed asks whether an event may come now. If not, the intake ends when what
// came before is stored.
func (t *intake) allowed(e *event.Event) bool {
	if t.h.allow == nil {
		return true
	}
	t.answer.after, t.over = t.h.allow(e.Org, len(e.Data))
	return t.over == nil
}

// flush stores the batch. It reports false if the answer is complete: the store
// was not available, or the item behind the batch must wait.
func (t *intake) flush() bool {
	if !t.flushBatch() {
		return false
	}
	if t.over == nil {
		return true
	}
	t.refuse(http.StatusTooManyRequests, t.over.Error()+"; send the events from next on again after Retry-After seconds")
	return false
}

// flushBatch stores the batch. If the store is not available for an item, the
// answer is complete: all items before it have their verdict, and of those
// behind it only the stored ones are told.
func (t *intake) flushBatch() bool {
	if len(t.batch) == 0 {
		return true
	}
	errs := t.store()
	failed := -1
	for i, e := range t.batch {
		var err error
		if errs != nil {
			err = errs[i]
		}
		switch {
		case err == nil:
			t.answer.Accepted++
			t.answer.Cursor = e.Cursor
			if failed >= 0 {
				t.answer.Stored = append(t.answer.Stored, t.indices[i])
			}
		case failed >= 0:
		case errors.Is(err, event.ErrUnavailable) || t.ctx.Err() != nil:
			failed = t.indices[i]
		default:
			t.reject(t.indices[i], "", "the store refused the event: "+err.Error())
		}
	}
	clear(t.batch)
	t.batch, t.indices, t.size = t.batch[:0], t.indices[:0], 0
	if failed < 0 {
		return true
	}
	t.answer.Rejected = slices.DeleteFunc(t.answer.Rejected, func(r rejection) bool { return r.Index > failed })
	t.unavailable(failed)
	return false
}

// store hands the batch to the store, unless nobody waits for the answer.
func (t *intake) store() []error {
	if err := t.ctx.Err(); err != nil {
		errs := make([]error, len(t.batch))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	errs := t.h.store(t.ctx, t.batch)
	if errs != nil && len(errs) != len(t.batch) {
		panic(fmt.Sprintf("ingest: the store gave %d verdicts on %d events", len(errs), len(t.batch)))
	}
	return errs
}

// stopAt names the first item that still has to be sent.
func (t *intake) stopAt(index int) { t.answer.Next = &index }

// unavailable completes the answer: item next and those behind it have to be
// sent again.
func (t *intake) unavailable(next int) {
	t.stopAt(next)
	t.answer.after = 0
	t.answer.status = http.StatusServiceUnavailable
	t.answer.Error = "the event store is not available; send the events from next on again after Retry-After seconds"
}

// full completes the answer to a request that was not let in.
func (t *intake) full(err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, errOrgFull) {
		status = http.StatusTooManyRequests
	}
	t.refuse(status, err.Error()+"; send the events again after Retry-After seconds")
}

// refuse completes the answer with a status and a reason.
func (t *intake) refuse(status int, text string) {
	t.stopAt(t.next)
	t.answer.status = status
	t.answer.Error = text
}

// unreadable completes the answer: the body is not JSON from this place on.
func (t *intake) unreadable(fault *Error, offset, line, column int64) {
	t.answer.Offset, t.answer.Line, t.answer.Column = &offset, line, column
	t.refuse(http.StatusBadRequest, fmt.Sprintf("the body is not readable at line %d, column %d (byte %d): %s",
		line, column, offset, fault.Text()))
}
