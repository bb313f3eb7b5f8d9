package journal

import "sync/atomic"

// A Budget bounds what all logs of a node remember, in bytes of memory, about.
// While there is room a log may take what it likes; then those with more than
// an equal share give way. Safe for concurrent use.
type Budget struct {
	most  int64
	bytes atomic.Int64
	logs  atomic.Int64
}

// DefaultBytes is the bound of a Budget.
const DefaultBytes = 1 << 30

// NewBudget makes a budget of most bytes; 0 means [DefaultBytes].
func NewBudget(most int64) *Budget {
	if most == 0 {
		most = DefaultBytes
	}
	return &Budget{most: most}
}

// Bytes is what is remembered now.
func (b *Budget) Bytes() int64 { return b.bytes.Load() }

func (b *Budget) join()        { b.logs.Add(1) }
func (b *Budget) leave()       { b.logs.Add(-1) }
func (b *Budget) take(n int64) { b.bytes.Add(n) }

// over tells whether a log of so many bytes must give way.
func (b *Budget) over(bytes int64) bool {
	return b.bytes.Load() > b.most && bytes > b.most/max(b.logs.Load(), 1)
}
