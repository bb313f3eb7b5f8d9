package main

import (
	"bufio"
	"encoding/json"
	"sync"

	"rte/signalr"
)

// A printer writes messages as they come, one line each.
type printer struct {
	mu     sync.Mutex
	out    *bufio.Writer
	left   int // messages still wanted; 0 from the start means all
	over   bool
	enough func()
	failed error
}

func (p *printer) print(args []signalr.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || len(args) == 0 {
		return
	}
	var message json.RawMessage
	if err := signalr.Decode(args[0], &message); err != nil {
		p.failed = err
	} else {
		p.out.Write(append(message, '\n')) //nolint:errcheck // Flush tells
		p.failed = p.out.Flush()
	}
	if p.left--; p.left == 0 || p.failed != nil {
		p.over = true
		p.enough()
	}
}

func (p *printer) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}
