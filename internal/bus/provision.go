package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The mark on our streams. A later RTE that keeps messages otherwise has
// another number, and the two do not touch each other's streams.
const (
	formatKey = "rte.format"
	format    = "1"
)

// manyReplicas is how many replicas a stream gets where nobody says.
const manyReplicas = 3

// Codes of JetStream's refusals that the client has no name for.
const (
	codeNoPeers     jetstream.ErrorCode = 10005 // too few servers for that many replicas
	codeUnavailable jetstream.ErrorCode = 10008 // no leader yet
	codeNotEnough   jetstream.ErrorCode = 10023 // insufficient resources
	codeNoMemory    jetstream.ErrorCode = 10028 // the account's or the server's
	codeNoDisk      jetstream.ErrorCode = 10047 // the account's or the server's
	codeOneServer   jetstream.ErrorCode = 10074 // replicas need a cluster
	codeOffline     jetstream.ErrorCode = 10118 // too many of the stream's servers are away
)

// provision makes a stream, or gives one that is there the present settings.
// Several nodes may do so at once: the last one's settings hold. replicas 0
// is for the store to choose (see [External.Replicas]).
func (b *Bus) provision(ctx context.Context, want jetstream.StreamConfig, replicas int) (jetstream.Stream, error) {
	want.Replicas = replicas
	if replicas == 0 {
		want.Replicas = 1
		if b.shared {
			want.Replicas = manyReplicas
		}
	}
	for {
		s, err := b.provisionOnce(ctx, want, replicas == 0)
		switch {
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
			continue // another node was quicker; now it is there to be seen
		case replicas == 0 && want.Replicas > 1 && tooFewServers(err) && !b.cluster.used():
			want.Replicas = 1
			continue
		}
		return s, err
	}
}

func (b *Bus) provisionOnce(ctx context.Context, want jetstream.StreamConfig, raise bool) (jetstream.Stream, error) {
	s, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.js.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, err
	}
	is := s.CachedInfo().Config
	if why := foreign(is, want); why != "" {
		return nil, fmt.Errorf("%w: %s; give RTE a NATS account of its own, or remove that stream", errForeign, why)
	}
	if raise {
		want.Replicas = max(want.Replicas, is.Replicas)
	}
	next := is // what an operator has set besides, stays
	next.MaxMsgsPerSubject, next.MaxAge, next.MaxBytes = want.MaxMsgsPerSubject, want.MaxAge, want.MaxBytes
	next.Duplicates, next.Replicas = want.Duplicates, want.Replicas
	next.AllowDirect, next.RePublish = want.AllowDirect, want.RePublish
	next.Metadata = maps.Clone(is.Metadata)
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	next.Metadata[formatKey] = format
	if sameSettings(is, next) {
		return s, nil
	}
	b.log.Info("settings of a stream change", "stream", want.Name, "retention", next.MaxAge, "bytes", next.MaxBytes,
		"dedupe", next.Duplicates, "replicas", next.Replicas)
	return b.js.UpdateStream(ctx, next)
}

// foreign tells why a stream is not one of ours, "" if it is.
func foreign(is, want jetstream.StreamConfig) string {
	marked := is.Metadata[formatKey]
	switch {
	case marked != "" && marked != format:
		return fmt.Sprintf("it has format %s, this RTE has %s", marked, format)
	case !slices.Equal(is.Subjects, want.Subjects):
		return fmt.Sprintf("it takes the subjects %q, not %q", is.Subjects, want.Subjects)
	case is.Storage != want.Storage:
		return fmt.Sprintf("it has %s storage, not %s", is.Storage, want.Storage)
	case is.Retention != want.Retention || is.Discard != want.Discard:
		return "it forgets messages by other rules"
	case is.Mirror != nil || len(is.Sources) > 0:
		return "it copies another stream"
	}
	return ""
}

// sameSettings compares what provision sets.
func sameSettings(a, b jetstream.StreamConfig) bool {
	return a.MaxMsgsPerSubject == b.MaxMsgsPerSubject && a.MaxAge == b.MaxAge && a.MaxBytes == b.MaxBytes &&
		a.Duplicates == b.Duplicates && a.Replicas == b.Replicas && a.AllowDirect == b.AllowDirect &&
		sameRePublish(a.RePublish, b.RePublish) && a.Metadata[formatKey] == b.Metadata[formatKey]
}

func sameRePublish(a, b *jetstream.RePublish) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

var errForeign = errors.New("a stream of this name belongs to something else")

// patiently does what needs JetStream, again while it is not there yet, until
// ctx ends.
func (b *Bus) patiently(ctx context.Context, do func(ctx context.Context) error) error {
	var told time.Time
	for n := 1; ; n++ {
		// A request that comes before there is a leader is never answered, nor
		// are some of several nodes' at once; under load an answer takes long.
		try, cancel := context.WithTimeout(ctx, min(time.Duration(n)*tryWait, mostTryWait))
		err := do(try)
		cancel()
		passes := mayAppear(err) || b.cluster.used() && tooFewServers(err)
		if err == nil || !b.shared || !passes {
			return b.explain(ctx, err)
		}
		if ctx.Err() == nil && time.Since(told) > b.tellAgain() {
			told = time.Now()
			b.tellWaiting(err)
		}
		select {
		case <-ctx.Done():
			return b.explain(ctx, err)
		case <-time.After(openPause/2 + rand.N(openPause)): // not all nodes at once
		}
	}
}

// apiCode is the number of JetStream's refusal, 0 if err is none.
func apiCode(err error) jetstream.ErrorCode {
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		return e.APIError().ErrorCode
	}
	return 0
}

// mayAppear tells whether an error of JetStream's API passes when a cluster
// has found its leaders.
func mayAppear(err error) bool {
	if errors.Is(err, errNotYet) {
		return true
	}
	switch apiCode(err) {
	case codeUnavailable, codeNotEnough, codeOffline:
		return true
	case 0:
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
			errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrDisconnected)
	}
	return false
}

// tooFewServers tells whether a stream was refused for its replicas.
func tooFewServers(err error) bool {
	code := apiCode(err)
	return code == codeNoPeers || code == codeOneServer
}

// explain says what is to be done about an error of JetStream's API.
func (b *Bus) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if denied := b.denied(ctx); denied != nil {
		return fmt.Errorf("%w; docs/operations.md has the rights that RTE's NATS user needs", denied)
	}
	const enable = "start the servers with JetStream and enable it for RTE's account"
	code := apiCode(err)
	switch {
	case code == jetstream.JSErrCodeJetStreamNotEnabled, code == jetstream.JSErrCodeJetStreamNotEnabledForAccount, errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w; %s", err, enable)
	case tooFewServers(err):
		return fmt.Errorf("%w; ask for fewer replicas", err)
	case code == codeNoDisk || code == codeNoMemory || code == codeNotEnough:
		return fmt.Errorf("%w; give RTE's account more room, or ask for less (--retention-bytes)", err)
	case mayAppear(err):
		return fmt.Errorf("%w; JetStream does not answer: %s, and see that the cluster has a leader", err, enable)
	}
	return err
}
