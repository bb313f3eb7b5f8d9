package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rte/internal/event"
)

// Figures of keeping a store inside alive.
const (
	keeperTick = time.Second
	// silence is how long a stream may leave everything unanswered. A stream
	// that could not write answers nothing, and never again by itself, also
	// when there is room on the disk again.
	silence = 5 * time.Second
	// mendPause is the pause between two tries to open a store again.
	mendPause = 3 * time.Second
)

// A keeper looks after a store inside that is kept on disk: it finds out when
// the store takes nothing any more (a full disk, a folder that is gone), so
// that the node says so and refuses at once instead of after ten seconds, and
// opens the store again when it can be written.
type keeper struct {
	bus    *Bus
	config server.JetStreamConfig
	tick   time.Duration // fixed but for tests

	stop  chan struct{}  // closed to end the goroutine
	ended sync.WaitGroup // the goroutine

	mu  sync.Mutex
	why error // why the store takes nothing; nil while it does
}

func newKeeper(b *Bus, o Options) *keeper {
	so := serverOptions(b.folder.path, o)
	return &keeper{
		bus: b, tick: keeperTick, stop: make(chan struct{}),
		config: server.JetStreamConfig{StoreDir: so.StoreDir, SyncInterval: so.SyncInterval, MaxMemory: so.JetStreamMaxMemory, MaxStore: so.JetStreamMaxStore},
	}
}

// run starts the goroutine.
func (k *keeper) run() { k.ended.Go(k.look) }

func (k *keeper) close() {
	close(k.stop)
	k.ended.Wait()
}

// trouble tells why the store takes nothing, nil while it does.
func (k *keeper) trouble() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.why
}

func (k *keeper) look() {
	tick := time.NewTicker(k.tick)
	defer tick.Stop()
	next := time.Time{} // try to mend
	doubts := 0         // looks in a row that found something
	for {
		select {
		case <-k.stop:
			return
		case <-tick.C:
		}
		if k.trouble() == nil {
			why := k.find()
			if doubts++; why == nil {
				doubts = 0
			} else if doubts > 1 { // a process that was stopped for a while finds one reason, once
				k.set(why)
				next = time.Time{}
			}
		}
		if k.trouble() != nil && time.Now().After(next) {
			if err := k.mend(); err != nil {
				k.bus.log.Debug("the store cannot be opened again yet", "err", err)
				next = time.Now().Add(mendPause)
				continue
			}
			k.set(nil)
		}
	}
}

// set tells everybody of a change.
func (k *keeper) set(why error) {
	k.mu.Lock()
	k.why = why
	k.mu.Unlock()
	if !k.bus.cluster.used() { // there the other servers go on
		k.bus.lanes.fail(why)
	}
	if why != nil {
		k.bus.log.Error("the store takes no events; it is opened again as soon as it can be written", "err", why)
		return
	}
	k.bus.log.Info("the store takes events again")
}

// find looks for a reason why the store takes nothing.
func (k *keeper) find() error {
	s := k.bus.lanes.silent(silence)
	switch {
	case k.bus.folder.gone():
		return errGone
	case !k.bus.server.JetStreamEnabled():
		return errors.New("JetStream has stopped, for it could not write")
	case s != nil && !k.bus.cluster.used(): // there silence is a leader that has crashed
		return fmt.Errorf("stream %s has not answered for %v: the disk may be full, too slow or not writable", s.name, silence)
	}
	return nil
}

// mend opens the store again. What was on the way is sent again.
func (k *keeper) mend() error {
	if k.bus.folder.gone() {
		return errGone // to begin with an empty store would be to lose one in silence
	}
	if err := k.bus.folder.probe(); err != nil {
		return err
	}
	_ = k.bus.server.ShutdownJetStream() // an error means that it is shut down already
	config := k.config
	if err := k.bus.server.EnableJetStream(&config); err != nil {
		return err
	}
	if err := k.bus.askStreams(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	return k.bus.mended(ctx)
}

// errGone is for good: only a start makes the folder anew.
var errGone = fmt.Errorf("%w: the data folder was removed or replaced; put it back and start this node again", event.ErrUnavailable)
