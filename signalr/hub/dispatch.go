package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"rte/signalr"
)

// An entry is what a name stands for.
type entry struct {
	method  Method
	stream  Stream // then there is no method
	uploads int    // streams that the client must send
}

// entries are the methods and streams of a server, by lower-case name.
func entries(o *Options) map[string]entry {
	all := make(map[string]entry, len(o.Methods)+len(o.Streams))
	for name, m := range o.Methods {
		all[strings.ToLower(name)] = entry{method: m}
	}
	for name, s := range o.Streams {
		all[strings.ToLower(name)] = entry{stream: s}
	}
	for name, n := range o.Uploads {
		name = strings.ToLower(name)
		if e, ok := all[name]; ok {
			e.uploads = n
			all[name] = e
		}
	}
	return all
}

// extras is what few connections need.
type extras struct {
	beside  sync.WaitGroup // what runs beside the ordered calls
	waiting int            // for results of the client; guarded by inbox.mu

	mu      sync.Mutex
	running int                                 // streams and methods with uploads
	streams map[string]context.CancelFunc       // by invocation
	uploads map[string]*Upload                  // by stream
	results map[string]chan *signalr.Completion // by invocation of ours
	lastID  uint64                              // of our invocations

	// guarded by directory.mu
	user   string
	groups map[string]struct{}
}

// extras makes the extras if there are none yet.
func (c *Conn) extras() *extras {
	if x := c.more.Load(); x != nil {
		return x
	}
	c.more.CompareAndSwap(nil, &extras{})
	return c.more.Load()
}

// gone reports whether nothing more is done for the client: refused, revoked,
// drained.
func (c *Conn) gone() bool {
	why := c.Reason()
	return why != "" && why != Goodbye
}

// dispatch finds out how an invocation is run. Whatever comes behind it may
// refer to its streams, so they are known from here on.
func (c *Conn) dispatch(m *signalr.Invocation, bytes int) {
	s := c.server
	e, ok := s.methods[m.Target]
	if !ok {
		e, ok = s.methods[strings.ToLower(m.Target)]
	}
	call := &Call{Conn: c, Invocation: m}
	refusal := s.unwanted(c, m)
	if refusal == "" {
		refusal = s.refusal(m, e, ok)
	}
	if refusal == "" && !m.Stream && e.uploads == 0 {
		c.enqueue(bytes, func(ctx context.Context) {
			if !c.gone() {
				c.invoke(ctx, e.method, call, func() {})
			}
		})
		return
	}
	var ctx context.Context
	var ended func()
	if refusal == "" {
		ctx, ended, refusal = c.admit(call)
	}
	refuse := func(context.Context) {
		if !c.gone() {
			call.answer(&signalr.Completion{Error: refusal})
		}
	}
	switch {
	case refusal != "" && m.Stream:
		c.beside(bytes, refuse)
	case refusal != "":
		c.enqueue(bytes, refuse)
	case m.Stream:
		c.beside(bytes, func(context.Context) { c.stream(ctx, e.stream, call, ended) })
	default:
		c.beside(bytes, func(context.Context) {
			if c.gone() {
				call.closeUploads()
				ended()
				return
			}
			c.invoke(ctx, e.method, call, ended)
		})
	}
}

// unwanted is why the application does not want an invocation, "" if it does.
func (s *Server) unwanted(c *Conn, m *signalr.Invocation) string {
	if s.o.Admit == nil {
		return ""
	}
	if err := s.o.Admit(c, m.Target); err != nil {
		return s.errorText(m.Target, err)
	}
	return ""
}

// refusal is why an invocation cannot be run, in the released server's words;
// "" if it can.
func (s *Server) refusal(m *signalr.Invocation, e entry, known bool) string {
	switch {
	case !known:
		return fmt.Sprintf("Failed to invoke '%s' due to an error on the server. HubException: Method does not exist.", m.Target)
	case m.Stream && e.stream == nil:
		return fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.", m.Target)
	case !m.Stream && e.stream != nil:
		return fmt.Sprintf("The client attempted to invoke the streaming '%s' method with a non-streaming invocation.", m.Target)
	case len(m.StreamIDs) != e.uploads:
		return s.errorText(m.Target, &Error{fmt.Sprintf("Client sent %d stream(s), Hub method expects %d.", len(m.StreamIDs), e.uploads)})
	}
	return ""
}

// admit notes the streams of a call, up and down, and gives it a context. When
// the method has returned, closeUploads must be called, and ended before the
// client knows; until then their ids are taken. A refusal is for the client.
func (c *Conn) admit(call *Call) (ctx context.Context, ended func(), refusal string) {
	m, x := call.Invocation, c.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if text := x.check(m); text != "" {
		return nil, nil, text
	}
	most := c.server.o.MaxStreams
	if x.running >= most {
		return nil, nil, c.server.errorText(m.Target, &Error{fmt.Sprintf("No more than %d streams may be active.", most)})
	}
	life := c.life()
	ctx, cancel := context.WithCancel(life)
	x.running++
	if m.Stream {
		if x.streams == nil {
			x.streams = map[string]context.CancelFunc{}
		}
		x.streams[m.ID] = cancel
	}
	for _, id := range m.StreamIDs {
		if x.uploads == nil {
			x.uploads = map[string]*Upload{}
		}
		u := &Upload{conn: c, gone: life.Done(), more: make(chan struct{}, 1)}
		x.uploads[id] = u
		call.Uploads = append(call.Uploads, u)
	}
	return ctx, func() { cancel(); x.leave(m) }, ""
}

// check sees whether the ids of a call are free. The caller holds mu.
func (x *extras) check(m *signalr.Invocation) string {
	if m.Stream && x.streams[m.ID] != nil {
		return fmt.Sprintf("Invocation ID '%s' is already in use.", m.ID)
	}
	for i, id := range m.StreamIDs {
		taken := x.uploads[id] != nil
		for _, other := range m.StreamIDs[:i] {
			taken = taken || id == other
		}
		if taken {
			return fmt.Sprintf("Stream ID '%s' is already in use.", id)
		}
	}
	return ""
}

// leave frees the place and the id of a call.
func (x *extras) leave(m *signalr.Invocation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running--
	if m.Stream {
		delete(x.streams, m.ID)
	}
}

// closeUploads ends the uploads of a call whose method has returned: the
// client is no longer held for them, and what still comes is ignored.
func (c *Call) closeUploads() {
	if len(c.Uploads) == 0 {
		return
	}
	x := c.Conn.extras()
	x.mu.Lock()
	for _, id := range c.Invocation.StreamIDs {
		delete(x.uploads, id)
	}
	x.mu.Unlock()
	for _, u := range c.Uploads {
		u.close()
	}
}

// life is the context of the connection.
func (c *Conn) life() context.Context {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.ctx
}
