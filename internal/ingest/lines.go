package ingest

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// lines takes an NDJSON stream. What has come is stored before it waits for
// more, so that a slow stream's events are not held back.
func (t *intake) lines(r io.Reader, buffer int) {
	l := lineReader{r: r, limit: t.h.maxLine()}
	l.buf = make([]byte, 0, min(buffer, l.limit))
	for {
		line, ok := l.next()
		if !ok {
			if !t.flush() {
				return
			}
			switch err := l.fill(); {
			case errors.Is(err, io.EOF) && t.next == 0:
				t.broken(err, 0)
				return
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				t.broken(err, int(l.offset)+len(l.buf))
				return
			}
			continue
		}
		if isBlank(line) && !l.cut {
			continue
		}
		if !t.ready() {
			return
		}
		if l.cut {
			t.reject(t.next, "$", "found a line that is too long, wanted less than "+strconv.Itoa(l.limit)+" bytes")
			t.next++
			continue
		}
		if _, fault := t.take(line, 0, true); fault != nil {
			if t.flush() {
				fault.Allowed += "; each line is one whole event"
				t.unreadable(fault, l.start+int64(fault.Offset), l.number, int64(fault.Offset)+1)
			}
			return
		}
	}
}

func isBlank(line []byte) bool {
	for _, c := range line {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// A lineReader cuts a stream into lines and holds no more of it than limit.
type lineReader struct {
	r     io.Reader
	limit int

	buf     []byte // read; buf[from:] is not yet handed out
	from    int
	scanned int   // buf[from:scanned] holds no line end
	dropped bool  // the beginning of the present line was too long to keep
	err     error // how the stream has ended
	offset  int64 // of buf[0] from the start of the stream

	// Of the line handed out last:
	start  int64 // offset from the start of the stream
	number int64 // from 1
	cut    bool  // it was longer than limit and is not all there
}

// next hands out the next line if all of it has come. It is good until fill.
func (l *lineReader) next() (line []byte, ok bool) {
	end := bytes.IndexByte(l.buf[l.scanned:], '\n')
	after := 1
	switch {
	case end >= 0:
		end += l.scanned
	case errors.Is(l.err, io.EOF) && (l.from < len(l.buf) || l.dropped):
		end, after = len(l.buf), 0
	default:
		l.scanned = len(l.buf)
		return nil, false
	}
	line = l.buf[l.from:end]
	l.start = l.offset + int64(l.from)
	l.number++
	l.cut, l.dropped = l.dropped, false
	l.from = end + after
	l.scanned = l.from
	return line, true
}

// fill reads more. How the stream ended it says only once next has handed
// out what came before.
func (l *lineReader) fill() error {
	if l.err != nil {
		return l.err
	}
	if l.from > 0 {
		l.offset += int64(l.from)
		l.buf = l.buf[:copy(l.buf, l.buf[l.from:])]
		l.scanned -= l.from
		l.from = 0
	}
	if len(l.buf) == l.limit {
		l.offset += int64(len(l.buf))
		l.buf, l.scanned, l.dropped = l.buf[:0], 0, true
	}
	if len(l.buf) == cap(l.buf) {
		grown := make([]byte, len(l.buf), min(2*cap(l.buf), l.limit))
		copy(grown, l.buf)
		l.buf = grown
	}
	n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	l.err = err // for the next call: what came with it comes first
	return nil
}
