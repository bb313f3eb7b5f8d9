package bus

import (
	"fmt"
	"log/slog"
	"time"
)

// Options are the settings of a bus. The zero value is a good bus in memory.
type Options struct {
	// Dir is the folder of the store; it is made if missing. "" keeps
	// everything in memory: closed means lost. Not used with External.
	Dir string

	// External keeps the store on other servers than an embedded one.
	External External

	// Cluster joins the embedded servers of several nodes. It needs a Dir.
	Cluster Cluster

	// Door opens the embedded server to producers.
	Door Door

	// Retention is the age at which the Events streams forget a message;
	// 0 means 15 minutes. State streams never forget by age.
	Retention time.Duration

	// RetentionBytes bounds each Events stream, in bytes with subject and
	// headers; 0 means 4 GiB, in memory 256 MiB. The oldest go first.
	RetentionBytes int64

	// DedupeWindow is how long a message id is remembered; 0 means 30
	// seconds. On the Events streams it is never longer than Retention.
	DedupeWindow time.Duration

	// Logger takes the bus's own lines and those of the NATS server (its
	// notices at Debug); nil discards them.
	Logger *slog.Logger

	// Now is the clock that gives an event without a time its own; nil
	// means time.Now.
	Now func() time.Time

	openWait time.Duration // fixed but for tests
}

// Check finds what is wrong with the options without opening anything; files
// that they name are read.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults fills in what was left zero and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.Retention < 0 || o.RetentionBytes < 0 || o.DedupeWindow < 0 {
		return o, fmt.Errorf("open bus: retention, its bytes and the dedupe window cannot be negative")
	}
	if err := o.External.check(); err != nil {
		return o, fmt.Errorf("open bus: %w", err)
	}
	if err := o.Cluster.check(); err != nil {
		return o, fmt.Errorf("open bus: %w", err)
	}
	if o.Cluster.used() && (o.External.used() || o.Dir == "") {
		return o, fmt.Errorf("open bus: a cluster is of embedded servers, each with a folder of its own")
	}
	if o.External.used() && o.Door.Listen != "" {
		return o, fmt.Errorf("open bus: external servers have doors of their own; there is none to open here")
	}
	if o.Door.Listen != "" {
		if _, err := ReadUsers(o.Door.Users); err != nil {
			return o, fmt.Errorf("open bus: %w", err)
		}
	}
	if o.openWait == 0 {
		o.openWait = openWait
	}
	if o.Retention == 0 {
		o.Retention = 15 * time.Minute
	}
	if o.RetentionBytes == 0 {
		o.RetentionBytes = 4 << 30
		if o.inMemory() {
			o.RetentionBytes = 256 << 20
		}
	}
	if o.RetentionBytes > maxStore {
		return o, fmt.Errorf("open bus: retention of %d bytes is above the limit of %d", o.RetentionBytes, int64(maxStore))
	}
	if o.DedupeWindow == 0 {
		o.DedupeWindow = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// shared tells whether other nodes write to the store, too: then what is stored
// must be heard from it, and answers may be lost on the way.
func (o *Options) shared() bool { return o.External.used() || o.Cluster.used() }

// inMemory tells whether the store is lost with the bus.
func (o *Options) inMemory() bool { return o.Dir == "" && !o.External.used() }
