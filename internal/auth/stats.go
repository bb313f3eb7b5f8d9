package auth

import "time"

// Stats are a verifier's verdicts since it was made.
type Stats struct {
	Accepted uint64 // tokens found good
	Demoted  uint64 // of these: with a role that was not honoured and counts as user

	// Refused has an entry for every reason, also where it is 0, so that a
	// chart shows zeros and no gaps.
	Refused map[Reason]uint64

	// Unavailable has an entry for every need.
	Unavailable map[Need]uint64

	KeySetLooks  uint64        // attempts to read key sets
	KeySetFailed uint64        // of these: without success
	KeySetAge    time.Duration // since the set that was read longest ago was read; 0 without sets, or before the first success

	Asked       uint64 // questions to the resolver
	AskFailed   uint64 // of these, or in vain before they were put: without an answer
	Remembered  uint64 // answers given from memory
	AnswerBytes int    // memory of answers, about
}

// Stats returns the verdicts so far. Safe for concurrent use; the figures of
// one call need not belong to one moment.
func (v *Verifier) Stats() Stats {
	s := Stats{
		Accepted:    v.accepted.Load(),
		Demoted:     v.demoted.Load(),
		Refused:     make(map[Reason]uint64, reasonEnd-1),
		Unavailable: make(map[Need]uint64, needEnd-1),
	}
	for r := ReasonMissing; r < reasonEnd; r++ {
		s.Refused[r] = v.refused[r].Load()
	}
	for n := NeedKeys; n < needEnd; n++ {
		s.Unavailable[n] = v.unavailable[n].Load()
	}
	for i := range v.rings {
		set, ok := v.rings[i].source.(*keySet)
		if !ok {
			continue
		}
		s.KeySetLooks += set.looks.Load()
		s.KeySetFailed += set.failed.Load()
		if at := set.lastGood.Load(); at != 0 {
			s.KeySetAge = max(s.KeySetAge, time.Since(time.Unix(0, at)))
		}
	}
	if r := v.resolver; r != nil {
		s.Asked, s.AskFailed, s.Remembered = r.asked.Load(), r.failed.Load(), r.remembered.Load()
		r.mu.Lock()
		s.AnswerBytes = r.memory.bytes
		r.mu.Unlock()
	}
	return s
}
