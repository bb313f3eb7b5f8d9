package hub

// Names is how many groups, users and ids the server remembers.
func (s *Server) Names() int {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	return len(s.names.groups) + len(s.names.users) + len(s.names.byID)
}
