package signalr

// Held is how much memory the reader holds, in bytes: what a test of its bound
// must look at.
func (r *Reader) Held() int { return cap(r.buf) }
