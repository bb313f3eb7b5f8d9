package bus

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// elected begins the subjects on which the servers of a cluster tell that a
// stream has a leader; its name follows.
const elected = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."

// followLeaders hears of changes of the streams' leaders.
func (b *Bus) followLeaders() error {
	_, err := b.conn.Subscribe(elected+"*", func(m *nats.Msg) {
		if s := b.byName[m.Subject[len(elected):]]; s != nil {
			b.log.Info("a stream has a new leader", "stream", s.name)
			b.lanes.led(s)
			b.suspectAll()
		}
	})
	return err
}

// tellAgain is how long a wait for the store goes on before it is told again:
// for a cluster, whose nodes may come one after another, there is progress.
func (b *Bus) tellAgain() time.Duration {
	if b.cluster.used() {
		return 5 * time.Second
	}
	return time.Hour
}

// tellWaiting says what Open waits for.
func (b *Bus) tellWaiting(err error) {
	if !b.cluster.used() {
		b.log.Warn("the store does not answer yet", "err", err)
		return
	}
	reason := "no leader yet"
	if tooFewServers(err) {
		reason = "too few servers for the replicas of a stream"
	}
	b.log.Info("waiting for the other nodes of the cluster", "cluster", b.cluster.Name, "node", b.folder.server,
		"servers", 1+len(b.members()), "routes", len(b.cluster.Routes), "replicas", b.wantReplicas(), "reason", reason)
}

// wantReplicas is how many a stream of the cluster gets.
func (b *Bus) wantReplicas() int {
	if b.cluster.Replicas != 0 {
		return b.cluster.Replicas
	}
	return manyReplicas
}

// members are the names of the other servers that are connected now.
func (b *Bus) members() (names []string) {
	routes, err := b.server.Routez(nil)
	if err != nil {
		return nil
	}
	for _, r := range routes.Routes { // several connections to each
		if !slices.Contains(names, r.RemoteName) {
			names = append(names, r.RemoteName)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
