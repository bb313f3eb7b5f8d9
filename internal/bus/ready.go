package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Figures of readiness.
const (
	readyWait = time.Second // how long a stream may take to answer
	readyAge  = time.Second // how long an answer is believed
)

// A health is what was found out last about the store.
type health struct {
	mu    sync.Mutex
	asked time.Time
	err   error
}

// Ready tells why the store cannot be used now, nil if it can: whether there
// is a connection, and whether every stream answers. It takes up to a second;
// an answer is good for another.
func (b *Bus) Ready() error {
	if !b.conn.IsConnected() {
		return errAway
	}
	if why := b.keeper.trouble(); why != nil {
		return why
	}
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < readyAge {
		return h.err
	}
	h.err = b.askStreams()
	h.asked = time.Now()
	return h.err
}

// askStreams asks each stream's leader.
func (b *Bus) askStreams() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	for _, lane := range b.streams {
		for _, s := range lane {
			m, err := b.conn.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+s.name, nil)
			if err != nil {
				return fmt.Errorf("stream %s does not answer: %w", s.name, err)
			}
			var answer infoAnswer
			switch {
			case json.Unmarshal(m.Data, &answer) != nil: // an answer all the same
			case answer.Error != nil: // of another server: there is no leader
				return fmt.Errorf("stream %s: %w", s.name, answer.Error)
			case !answer.led():
				return fmt.Errorf("stream %s: %w", s.name, errAlone)
			}
		}
	}
	return nil
}

var (
	errAway  = errors.New("no connection to the NATS servers")
	errAlone = errors.New("most servers that keep it have not been heard of by its leader")
)
