package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
)

// errTooLarge ends the reading of an object or array body.
var errTooLarge = errors.New("the body is too large")

// body reads the request's body and completes the answer.
func (t *intake) body(w http.ResponseWriter, r *http.Request, stream bool) {
	limit := t.h.maxBody
	if stream {
		body, err := unzipped(r, r.Body)
		if err != nil {
			t.broken(err, 0)
			return
		}
		t.lines(body, firstBuffer(r))
		return
	}
	if plainBody(r) && r.ContentLength > limit {
		t.broken(errTooLarge, 0)
		return
	}
	// MaxBytesReader bounds what is sent, so that neither a huge body nor
	// one that unzips to nothing goes on for ever; readWhole bounds what
	// comes of it.
	body, err := unzipped(r, http.MaxBytesReader(w, r.Body, limit+1))
	if err != nil {
		t.broken(err, 0)
		return
	}
	text, err := readWhole(body, limit, firstBuffer(r))
	if err != nil {
		t.broken(err, len(text))
		return
	}
	t.whole(text)
}

// firstBuffer is how much memory to begin with: what the body says it needs,
// within reason.
func firstBuffer(r *http.Request) int {
	const least, most = 4 << 10, 128 << 10
	if r.ContentLength < 0 {
		return most
	}
	return int(min(max(r.ContentLength+1, least), most))
}

// readWhole reads up to limit bytes, or fails with errTooLarge.
func readWhole(r io.Reader, limit int64, first int) ([]byte, error) {
	b := make([]byte, 0, first)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

// whole takes an object or an array. Nothing is stored unless all of it is
// JSON.
func (t *intake) whole(text []byte) {
	s := scanner{in: text, lax: true}
	s.space()
	start := s.at
	first := s.peek()
	fault := t.readOver(&s, first)
	if fault != nil {
		line := 1 + int64(bytes.Count(text[:fault.Offset], []byte("\n")))
		column := fault.Offset - bytes.LastIndexByte(text[:fault.Offset], '\n')
		t.unreadable(fault, int64(fault.Offset), line, int64(column))
		return
	}
	if first == '{' {
		t.mustTake(text, start)
		t.flush()
		return
	}
	s = scanner{in: text, at: start + 1}
	for s.space(); s.peek() != ']'; s.space() {
		if !t.ready() {
			return
		}
		s.at = t.mustTake(text, s.at)
		if s.space(); s.peek() == ',' {
			s.at++
		}
	}
	t.flush()
}

// readOver finds out whether the whole text is one object or array.
func (t *intake) readOver(s *scanner, first byte) *Error {
	const wanted = "an event, an array of events, or lines as application/x-ndjson"
	switch {
	case s.at == len(s.in):
		return unreadable(s.at, "an empty body", wanted)
	case first != '{' && first != '[':
		return s.unexpected(wanted)
	}
	if e := s.value(0); e != nil {
		return e
	}
	if s.space(); first == '{' && s.peek() == '{' {
		return unreadable(s.at, "a second object", "an array of events, or lines as application/x-ndjson")
	}
	return s.end()
}

// mustTake takes an item of a text that is known to be JSON.
func (t *intake) mustTake(text []byte, at int) (end int) {
	end, fault := t.take(text, at, false)
	if fault != nil {
		panic("ingest: a text that was JSON is none: " + fault.Error())
	}
	return end
}

// broken completes the answer to a body that could not be read to its end;
// offset is how many bytes came.
func (t *intake) broken(err error, offset int) {
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLong || errors.Is(err, errTooLarge):
		t.refuse(http.StatusRequestEntityTooLarge, t.h.tooLargeText())
	case t.ctx.Err() != nil:
		t.unavailable(t.next)
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.refuse(http.StatusRequestTimeout, "the body did not come in time; send the events from next on again")
	case errors.Is(err, io.EOF):
		t.refuse(http.StatusBadRequest, "the body is empty; send an event, an array of events, or lines as application/x-ndjson")
	default:
		at := int64(offset)
		t.answer.Offset = &at
		t.refuse(http.StatusBadRequest, "the body ended early or is not good gzip")
	}
}
