package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"rte/producer"
)

// Limits of what is read before it is sent, and of a line, in lines and bytes.
const (
	aheadLines = 500
	aheadBytes = 1 << 20
	maxLine    = 4 << 20
)

// A publishing is one run over one input.
type publishing struct {
	client   *producer.Client
	name     string // of the input
	ids      *lineIDs
	progress *progress

	batch   [][]byte
	numbers []int // of the lines in batch
	size    int   // bytes in batch
}

// run sends the input line by line. What has come is sent before it waits for
// more, so that events from a pipe are not held back.
func (p *publishing) run(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, aheadBytes)
	var failure error
	for failure == nil {
		line, whole, err := readLine(r)
		if len(line) > 0 || !whole {
			p.progress.lines++
			p.progress.bytes += int64(len(line))
		}
		if text := bytes.TrimSpace(line); len(text) > 0 || !whole {
			p.take(text, whole)
		}
		if err != nil || len(p.batch) >= aheadLines || p.size >= aheadBytes || !lineWaits(r) {
			failure = p.send(ctx)
		}
		if err != nil && failure == nil {
			failure = err
		}
	}
	if errors.Is(failure, io.EOF) {
		failure = nil
	}
	p.progress.summary(p.name)
	switch {
	case errors.Is(failure, context.Canceled):
		return errors.New("publish: interrupted; the lines up to there have been answered, run it again for the rest")
	case failure != nil:
		return fmt.Errorf("publish: %w", failure)
	case p.progress.rejected > 0:
		return errRefused
	}
	return nil
}

// readLine reads one line with its end. One that is longer than maxLine is
// not whole: it is read over.
func readLine(r *bufio.Reader) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := r.ReadSlice('\n')
		if whole = whole && len(line)+len(part) <= maxLine; whole {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, whole, err
		}
	}
}

// lineWaits tells whether another whole line has come already.
func lineWaits(r *bufio.Reader) bool {
	ahead, err := r.Peek(r.Buffered())
	return err == nil && bytes.IndexByte(ahead, '\n') >= 0
}

// take adds a line to the batch, or refuses it: the node would take a line
// that is no JSON for the end of the request.
func (p *publishing) take(text []byte, whole bool) {
	if !whole {
		p.refuse(p.progress.lines, fmt.Sprintf("the line is longer than %d bytes", maxLine))
		return
	}
	line, err := p.ids.add(text)
	if err != nil {
		p.refuse(p.progress.lines, err.Error())
		return
	}
	p.batch, p.numbers, p.size = append(p.batch, line), append(p.numbers, p.progress.lines), p.size+len(line)
}

// send hands the batch to the node and waits until each line has its verdict.
func (p *publishing) send(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	result, err := p.client.PublishLines(ctx, p.batch)
	p.progress.accepted += result.Accepted
	for _, r := range result.Rejected {
		p.refuse(p.numbers[r.Index], r.Path+" "+r.Reason)
	}
	p.batch, p.numbers, p.size = p.batch[:0], p.numbers[:0], 0
	p.progress.tell()
	return err
}

func (p *publishing) refuse(line int, why string) {
	p.progress.rejected++
	p.progress.printf("%s:%d: %s\n", p.name, line, why)
}
