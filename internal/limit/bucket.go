package limit

// A bucket is what somebody may have at once.
type bucket struct {
	left float64 // at the time at; below 0 is owed
	at   float64 // seconds since the rate was made
}

// buckets are those of one scope. A full one is not kept: it is as good as a
// new one. So memory is bounded by who was there in the last moments.
type buckets[K comparable] struct {
	rate  float64 // per second; 0 is no bound
	burst float64 // what a full bucket has
	of    map[K]bucket
	sweep int // how many there may be before the full ones are looked for
}

// fewBuckets are not worth a look.
const fewBuckets = 1024

func newBuckets[K comparable](rate, seconds float64) buckets[K] {
	return buckets[K]{rate: rate, burst: max(1, rate*seconds), of: map[K]bucket{}, sweep: fewBuckets}
}

// now is a bucket as it is at a time.
func (s *buckets[K]) now(k K, now float64) bucket {
	b, known := s.of[k]
	if !known {
		return bucket{s.burst, now}
	}
	// Callers read the clock before they have the lock: it may be behind.
	return bucket{min(s.burst, b.left+max(0, now-b.at)*s.rate), max(b.at, now)}
}

// lack is after how many seconds n may be had, 0 if now.
func lack[K comparable](s *buckets[K], is bool, k K, now, n float64) float64 {
	if s.rate == 0 || !is {
		return 0
	}
	return max(0, (min(n, s.burst)-s.now(k, now).left)/s.rate)
}

// take takes n out of a bucket.
func take[K comparable](s *buckets[K], is bool, k K, now, n float64) {
	if s.rate == 0 || !is {
		return
	}
	b := s.now(k, now)
	b.left = min(s.burst, b.left-n)
	s.of[k] = b
	if len(s.of) > s.sweep {
		s.forget(now)
		s.sweep = max(fewBuckets, 2*len(s.of))
	}
}

// forget drops the full buckets. A map does not give its memory back when it
// becomes smaller, so one that has is replaced.
func (s *buckets[K]) forget(now float64) {
	before, full := len(s.of), 0
	for k := range s.of {
		if s.now(k, now).left >= s.burst {
			delete(s.of, k)
			full++
		}
	}
	if before > fewBuckets && full > before/2 {
		kept := make(map[K]bucket, len(s.of))
		for k, b := range s.of {
			kept[k] = b
		}
		s.of = kept
	}
}
