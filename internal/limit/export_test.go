package limit

// Remembered is the number of buckets in memory, full ones too.
func (r *Rate) Remembered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.node.of) + len(r.orgs.of) + len(r.users.of) + len(r.conns.of)
}
