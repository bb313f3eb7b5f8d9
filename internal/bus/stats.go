package bus

import (
	"context"
	"time"
)

// Stats is a snapshot of a bus. Counters count since Open.
type Stats struct {
	Stored      uint64 // events that went into the store
	Duplicates  uint64 // events whose id the store knew already
	Refused     uint64 // events refused for good
	Unavailable uint64 // events given up while the store had no good answer
	Retries     uint64 // messages sent again
	InFlight    int    // messages sent and not yet answered

	Watches    int    // organizations watched or followed now; one watched twice counts twice
	Delivered  uint64 // events given to sinks
	Dropped    int64  // live messages dropped because a sink was slow (slow_consumer)
	Unreadable uint64 // live messages that were no event of the catalogue
	SinkErrors uint64 // events a sink refused
	Reconnects uint64 // times the connection to the server was made again
	Connected  bool   // there is a connection to the server now

	Silent time.Duration // see [Bus.Silent]

	Flows    int    // organizations followed now; one followed twice counts twice
	Holes    uint64 // times a pair was found to miss events that the live lane had lost
	Refilled uint64 // events read from the store for that
	Checks   uint64 // checks of flows for what was lost without a trace
	Reads    uint64 // direct gets of many messages: for flows and for Read

	DoorDropped int64 // producers' messages dropped before they could be taken

	Members int // servers of the cluster that this one is connected to, itself included; 0 without a cluster

	Leases []LeaseStats // what this node owns, or owned last (see [Bus.Own])

	Streams []StreamStats // left out when the store does not answer within a second
}

// StreamStats is the size of one stream.
type StreamStats struct {
	Name          string
	Lane          Lane
	Partition     uint16
	Messages      uint64
	Bytes         uint64 // with subjects and headers
	Subjects      uint64 // pairs
	FirstSequence uint64 // 0 while nothing was ever stored
	LastSequence  uint64

	Leader   string         // server that leads it; "" for a server alone
	Replicas []ReplicaStats // the others that keep it
}

// LeaseStats is one lease that this node has, or had.
type LeaseStats struct {
	Name  string
	Owner bool   // now
	Epoch uint64 // of its own time, or its last
}

// ReplicaStats is one of the servers that follow a stream's leader.
type ReplicaStats struct {
	Server  string
	Current bool   // it has what the leader has, or nearly
	Lag     uint64 // messages and other changes it has yet to get
}

// Stats asks the streams for their sizes, which takes a round trip each.
func (b *Bus) Stats() Stats {
	l := b.lanes
	l.mu.Lock()
	p := l.stats
	s := Stats{InFlight: len(l.inFlight)}
	l.mu.Unlock()
	s.Stored, s.Duplicates, s.Refused, s.Unavailable, s.Retries = p.stored, p.duplicates, p.refused, p.unavailable, p.retries
	s.Delivered, s.Unreadable, s.SinkErrors = b.delivered.Load(), b.unreadable.Load(), b.sinkErrors.Load()
	s.Reconnects, s.Connected = b.conn.Stats().Reconnects, b.conn.IsConnected()
	s.Silent = b.Silent()
	s.DoorDropped = b.doorDropped()

	s.Holes, s.Refilled, s.Checks = b.holes.Load(), b.refilled.Load(), b.checks.Load()
	s.Reads = b.getter.asked.Load() + b.readGetter.asked.Load()

	b.mu.Lock()
	s.Flows = len(b.flows)
	s.Watches, s.Dropped = len(b.watches), b.dropped
	for w := range b.watches {
		s.Dropped += w.drops()
	}
	b.mu.Unlock()

	s.Leases = b.owned.list()
	if b.cluster.used() {
		s.Members = 1 + len(b.members())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, lane := range b.streams {
		for _, st := range lane {
			info, err := st.handle.Info(ctx)
			if err != nil {
				continue
			}
			one := StreamStats{
				Name: st.name, Lane: st.lane, Partition: st.partition,
				Messages: info.State.Msgs, Bytes: info.State.Bytes, Subjects: info.State.NumSubjects,
				FirstSequence: info.State.FirstSeq, LastSequence: info.State.LastSeq,
			}
			if info.Cluster != nil && b.shared {
				one.Leader = info.Cluster.Leader
				for _, r := range info.Cluster.Replicas {
					one.Replicas = append(one.Replicas, ReplicaStats{Server: r.Name, Current: r.Current && !r.Offline, Lag: r.Lag})
				}
			}
			s.Streams = append(s.Streams, one)
		}
	}
	return s
}
