package bus

import (
	"sync"
	"time"
)

// Whether what this node hears of the store can be relied on. A node that the
// network has cut from the others hears nothing new, and no live message tells
// it so.

// followerAge is how long ago a leader may have heard of a server that follows
// it, for that one to count; they speak every second. A leader that has been
// cut off goes on answering for some twenty seconds as if it led.
const followerAge = 5 * time.Second

// word remembers since when a stream's leader has said nothing that counts. The
// zero value is a store that has spoken.
type word struct {
	mu     sync.Mutex
	silent map[*stream]time.Time // since when
}

// note takes the outcome of a look. The silence begins with the first that
// fails, not behind the last good one: a process that was stopped for a while
// must ask before it may say so.
func (w *word) note(s *stream, good bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch _, known := w.silent[s]; {
	case good:
		delete(w.silent, s)
	case !known:
		if w.silent == nil {
			w.silent = map[*stream]time.Time{}
		}
		w.silent[s] = time.Now()
	}
}

// Silent tells for how long no leader of one of the streams has said anything
// that counts, zero while all do. A leader counts that most of the servers that
// keep its stream follow: any other may have been deposed, and not know it.
// What was stored meanwhile by way of others has not come here. A store of this
// node's own is never silent in this sense: nothing comes into it by others.
func (b *Bus) Silent() time.Duration {
	b.word.mu.Lock()
	defer b.word.mu.Unlock()
	var longest time.Duration
	for _, since := range b.word.silent {
		longest = max(longest, time.Since(since))
	}
	return longest
}

// led tells whether an answer is that of a leader that counts.
func (a *infoAnswer) led() bool {
	if a.Config.Replicas <= 1 {
		return true
	}
	following := 1 // itself
	for _, r := range a.Cluster.Replicas {
		if r.Active < followerAge {
			following++
		}
	}
	return a.Cluster.Leader != "" && following > a.Config.Replicas/2
}
