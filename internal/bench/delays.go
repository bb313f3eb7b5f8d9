package bench

import (
	"math"
	"math/bits"
	"time"
)

// delays counts times in buckets, sixteen to each doubling: a quantile is
// never wrong by more than a sixteenth, and memory does not grow with what is
// counted. Not safe for concurrent use.
type delays struct {
	counts [16 * 64]uint64
	n      uint64
	most   time.Duration
}

func (d *delays) add(t time.Duration) {
	t = max(t, 0)
	d.counts[bucket(uint64(t))]++
	d.n++
	d.most = max(d.most, t)
}

// bucket is the place of a value: the position of its highest bit, then the
// four bits behind it.
func bucket(v uint64) int {
	if v < 16 {
		return int(v)
	}
	exp := bits.Len64(v) - 5
	return exp<<4 + int(v>>exp)
}

// upper is the largest value of a bucket.
func upper(i int) uint64 {
	if i < 32 {
		return uint64(i)
	}
	exp := i>>4 - 1
	return uint64(i-exp<<4+1)<<exp - 1
}

// quantile is the time in milliseconds that the part q of all did not exceed,
// 0 if there were none.
func (d *delays) quantile(q float64) float64 {
	if d.n == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(d.n))))
	seen := uint64(0)
	for i, n := range d.counts {
		if seen += n; seen >= rank {
			return float64(min(time.Duration(upper(i)), d.most)) / float64(time.Millisecond)
		}
	}
	return 0
}

// merge adds what another has counted.
func (d *delays) merge(other *delays) {
	for i, n := range other.counts {
		d.counts[i] += n
	}
	d.n += other.n
	d.most = max(d.most, other.most)
}
