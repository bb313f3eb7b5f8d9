package hub

// Names is how many groups, users and ids the server remembers.
func (s *Server) Names() int {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	return len(s.names.groups) + len(s.names.users) + len(s.names.byID)
}

// Held is what a connection holds for its client: bytes that wait to be sent,
// bytes that may have to be sent again, calls that wait to run, bytes of a
// message that has begun. Nothing may be fed meanwhile.
func (c *Conn) Held() (queued, unsure, calls, begun int) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.out.replay != nil {
		unsure = c.out.replay.bytes
	}
	return c.out.bytes, unsure, len(c.in.queue), c.reader.Pending()
}
