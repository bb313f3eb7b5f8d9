package bus

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// partitions is the number of partitions; every organization lives in one.
// More than one is for clusters, where partitions have different leaders.
const partitions = 1

// partitionOf is the partition an organization lives in. Guids of one
// producer are often consecutive, so they are hashed first.
func partitionOf(org event.GUID, n int) int {
	h := fnv.New32a()
	_, _ = h.Write(org[:])
	return int(h.Sum32() % uint32(n))
}

// A stream is one of the store's streams.
type stream struct {
	name      string
	lane      Lane
	partition uint16
	subjects  string        // "rte.event.0."
	identity  atomic.Uint32 // for cursors
	replicas  atomic.Int32
	handle    jetstream.Stream
	looks     looks

	// Guarded by lanes.mu.
	newest   uint64    // the highest sequence it has answered with
	answered time.Time // when it last stored something
}

// subject is where a topic's events are published. key is the event's name in
// lower case.
func (s *stream) subject(t event.Topic, key string) string {
	return pairSubject(s.subjects, t.Org, key, t.Entity)
}

func pairSubject(prefix string, org event.GUID, key string, entity event.GUID) string {
	b := make([]byte, 0, len(prefix)+36+1+len(key)+1+36)
	b = append(b, prefix...)
	b = org.AppendText(b)
	b = append(b, '.')
	b = append(b, key...)
	b = append(b, '.')
	return string(entity.AppendText(b))
}

// orgFilter matches the subjects of an organization.
func (s *stream) orgFilter(org event.GUID) string { return s.subjects + org.String() + ".>" }

// alone tells whether the leader is the only one that answers.
func (s *stream) alone() bool { return s.replicas.Load() <= 1 }

// cursor is the text for a sequence number of this stream.
func (s *stream) cursor(sequence uint64) string {
	return Cursor{Store: s.identity.Load(), Lane: s.lane, Partition: s.partition, Sequence: sequence}.String()
}

// livePrefix begins the subjects on which an organization's stored messages
// are republished, both lanes alike: an event's name says its lane.
func livePrefix(org event.GUID) string {
	return "rte.live." + strconv.Itoa(partitionOf(org, partitions)) + "." + org.String() + "."
}

// streamConfig is the settled shape of a stream.
func streamConfig(lane Lane, partition int, o Options) jetstream.StreamConfig {
	p := strconv.Itoa(partition)
	subjects := "rte." + lane.String() + "." + p + ".>"
	c := jetstream.StreamConfig{
		Name:        "RTE_" + strings.ToUpper(lane.String()) + "_" + p,
		Subjects:    []string{subjects},
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		Duplicates:  o.DedupeWindow,
		AllowDirect: true,
		MaxBytes:    -1,
		Metadata:    map[string]string{formatKey: format},
	}
	if o.shared() {
		c.RePublish = &jetstream.RePublish{Source: subjects, Destination: "rte.live." + p + ".>"}
	}
	if o.inMemory() {
		c.Storage = jetstream.MemoryStorage
	}
	switch lane {
	case StateLane:
		c.MaxMsgsPerSubject = 1
	case EventLane:
		c.MaxMsgsPerSubject = -1 // as the server writes 0, so that it is no change at the next start
		c.MaxAge = o.Retention
		c.MaxBytes = o.RetentionBytes
		c.Duplicates = min(o.DedupeWindow, o.Retention)
	}
	return c
}

// openStream makes the stream, or gives the existing one the present settings.
func (b *Bus) openStream(ctx context.Context, lane Lane, partition int, o Options) (*stream, error) {
	c := streamConfig(lane, partition, o)
	var h jetstream.Stream
	err := b.patiently(ctx, func(ctx context.Context) (err error) {
		h, err = b.provision(ctx, c, max(o.External.Replicas, o.Cluster.Replicas))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", c.Name, err)
	}
	is := h.CachedInfo()
	s := &stream{
		name:      c.Name,
		lane:      lane,
		partition: uint16(partition),
		subjects:  strings.TrimSuffix(c.Subjects[0], ">"),
		handle:    h,
		newest:    is.State.LastSeq,
	}
	s.identity.Store(identity(c.Name, is.Created))
	s.replicas.Store(int32(is.Config.Replicas))
	return s, nil
}

// identity tells one stream from any other that ever had its name: JetStream
// keeps the time of creation, to the nanosecond, on every replica.
func identity(name string, created time.Time) uint32 {
	sum := sha256.Sum256([]byte(name + created.UTC().Format(time.RFC3339Nano)))
	return binary.BigEndian.Uint32(sum[:])
}

// replicas is how many the store keeps of each stream.
func (b *Bus) replicas() int {
	return b.streams[StateLane][0].handle.CachedInfo().Config.Replicas
}
