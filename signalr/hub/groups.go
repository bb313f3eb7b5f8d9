package hub

import (
	"slices"
	"sync"

	"rte/signalr"
)

// A directory knows connections by their names. Names of groups and users are
// case-sensitive.
type directory struct {
	mu     sync.RWMutex
	groups map[string]members
	users  map[string]members
	byID   map[string]*Conn // nil until somebody asks for one
}

type members map[*Conn]struct{}

// add notes a new connection. The caller holds Server.mu.
func (d *directory) add(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID != nil {
		d.byID[c.ID()] = c
	}
}

// remove forgets a connection that is ending, and all its memberships. The
// caller holds Server.mu.
func (d *directory) remove(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byID, c.ID())
	x := c.more.Load()
	if x == nil {
		return
	}
	for group := range x.groups {
		drop(d.groups, group, c)
	}
	drop(d.users, x.user, c)
	x.groups = nil
}

func enter(in *map[string]members, name string, c *Conn) {
	if *in == nil {
		*in = map[string]members{}
	}
	if (*in)[name] == nil {
		(*in)[name] = members{}
	}
	(*in)[name][c] = struct{}{}
}

func drop(in map[string]members, name string, c *Conn) {
	delete(in[name], c)
	if len(in[name]) == 0 {
		delete(in, name)
	}
}

// setUser says whose a connection is.
func (d *directory) setUser(c *Conn, user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if user == "" || c.ending() {
		return
	}
	c.extras().user = user
	enter(&d.users, user, c)
}

// Join makes the connection a member of a group, until it leaves or ends.
// A connection that has ended joins nothing.
func (c *Conn) Join(group string) {
	d := &c.server.names
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.ending() { // it may have been removed already
		return
	}
	x := c.extras()
	if x.groups == nil {
		x.groups = map[string]struct{}{}
	}
	x.groups[group] = struct{}{}
	enter(&d.groups, group, c)
}

// Leave ends a membership; without one it does nothing.
func (c *Conn) Leave(group string) {
	d := &c.server.names
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := c.more.Load(); x != nil {
		delete(x.groups, group)
	}
	drop(d.groups, group, c)
}

// An Audience is whom something is sent to: whoever it is at that moment. An
// empty one, or the zero value, is no error.
type Audience struct {
	list   func() []*Conn
	except []string
}

// All is every connection.
func (s *Server) All() Audience {
	return Audience{list: func() []*Conn {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.conns)
	}}
}

// Group is the members of a group ([Conn.Join]).
func (s *Server) Group(name string) Audience {
	return Audience{list: func() []*Conn {
		s.names.mu.RLock()
		defer s.names.mu.RUnlock()
		return s.names.groups[name].list()
	}}
}

// User is all connections of a user (Options.UserID).
func (s *Server) User(id string) Audience {
	return Audience{list: func() []*Conn {
		s.names.mu.RLock()
		defer s.names.mu.RUnlock()
		return s.names.users[id].list()
	}}
}

func (m members) list() []*Conn {
	conns := make([]*Conn, 0, len(m))
	for c := range m {
		conns = append(conns, c)
	}
	return conns
}

// Only is the connections with these ids; ids of nobody are ignored. The first
// use makes an index of all connections, which is kept from then on.
func (s *Server) Only(ids ...string) Audience {
	ids = slices.Clone(ids)
	return Audience{list: func() []*Conn { return s.withIDs(ids) }}
}

func (s *Server) withIDs(ids []string) []*Conn {
	s.mu.Lock() // before names.mu, as in Accept
	defer s.mu.Unlock()
	d := &s.names
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID == nil {
		d.byID = make(map[string]*Conn, len(s.conns))
		for _, c := range s.conns {
			d.byID[c.ID()] = c
		}
	}
	var conns []*Conn
	for _, id := range ids {
		if c := d.byID[id]; c != nil && !slices.Contains(conns, c) {
			conns = append(conns, c)
		}
	}
	return conns
}

// Except leaves out the connections with these ids: everybody but the caller
// is All().Except(c.ID()).
func (a Audience) Except(ids ...string) Audience {
	a.except = slices.Concat(a.except, ids)
	return a
}

// Send queues a frame for everybody in the audience, as [Conn.Send] does.
func (a Audience) Send(f *signalr.Frame) {
	if a.list == nil {
		return
	}
	for _, c := range a.list() {
		if len(a.except) == 0 || !slices.Contains(a.except, c.ID()) {
			c.Send(f)
		}
	}
}
