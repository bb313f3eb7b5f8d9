package transport

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// On Linux WebSockets over plain TCP are read when they have something to say,
// by one goroutine for each core: an idle connection has none, and no stack
// (measured: 4 of 9 kB for each of 10,000 connections).

// pollers read the sockets of one handler.
type pollers struct {
	once sync.Once
	list []*poller
	next uint32 // guarded by mu
	mu   sync.Mutex
}

// A poller waits for sockets by epoll. Its own descriptor is watched by the
// runtime's poller, so that waiting costs no thread.
type poller struct {
	fd   int
	file *os.File
	raw  syscall.RawConn
	done chan struct{} // closed when run has ended

	mu    sync.Mutex
	slots []slot
	free  []int32 // indexes in slots
}

// A slot is where an event finds its socket. Its generation tells the events
// of one that has gone from those of the next.
type slot struct {
	socket     *webSocket
	generation int32
}

// A watch is a socket's place at its poller.
type watch struct {
	poller *poller
	event  syscall.EpollEvent
}

// watch lets a poller read the socket from now on. It reports false where none
// can.
func (p *pollers) watch(s *webSocket) bool {
	if s.socket.raw == nil {
		return false
	}
	p.once.Do(p.start)
	if len(p.list) == 0 {
		return false
	}
	p.mu.Lock()
	one := p.list[p.next%uint32(len(p.list))]
	p.next++
	p.mu.Unlock()
	w := &watch{poller: one, event: one.add(s)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.closeSent || w.control(s, syscall.EPOLL_CTL_ADD) != nil { // a deadline would wake nobody
		one.remove(w)
		return false
	}
	s.watch = w
	return true
}

// start makes the pollers; without any every socket has a goroutine.
func (p *pollers) start() {
	for range runtime.GOMAXPROCS(0) {
		one, err := newPoller()
		if err != nil {
			return
		}
		p.list = append(p.list, one)
		go one.run()
	}
}

// none lets every socket be read by a goroutine, if there are no pollers yet.
func (p *pollers) none() { p.once.Do(func() {}) }

// close ends the pollers. No socket is watched any more.
func (p *pollers) close() {
	p.none()
	for _, one := range p.list {
		one.file.Close() //nolint:errcheck // nothing was written
		<-one.done
	}
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // NewFile asks for it
		syscall.Close(fd) //nolint:errcheck // the other error says more
		return nil, err
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{})}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close() //nolint:errcheck // the other error says more
		return nil, err
	}
	return p, nil
}

// run reads what is ready until the poller is closed.
func (p *poller) run() {
	defer close(p.done)
	events := make([]syscall.EpollEvent, 128)
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			var werr error
			n, werr = syscall.EpollWait(int(fd), events, 0)
			return n > 0 || werr != nil && !errors.Is(werr, syscall.EINTR)
		})
		if err != nil {
			return
		}
		for i := range max(n, 0) {
			if s := p.at(&events[i]); s != nil {
				s.readable()
			}
		}
	}
}

func (p *poller) add(s *webSocket) syscall.EpollEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		p.free = append(p.free, int32(len(p.slots))) //nolint:gosec // bounded by descriptors
		p.slots = append(p.slots, slot{})
	}
	i := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.slots[i].socket = s
	return syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | epollOneShot,
		Fd:     i, Pad: p.slots[i].generation,
	}
}

// epollOneShot is EPOLLONESHOT: one event, then none until arm.
const epollOneShot = 1 << 30

func (p *poller) remove(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.slots[w.event.Fd]
	s.socket = nil
	s.generation++
	p.free = append(p.free, w.event.Fd)
}

// at is the socket of an event, nil if it has gone.
func (p *poller) at(e *syscall.EpollEvent) *webSocket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := &p.slots[e.Fd]; s.generation == e.Pad {
		return s.socket
	}
	return nil
}

// control changes what the kernel watches. The descriptor cannot be another's
// meanwhile: Control holds it. The caller holds the socket's mu.
func (w *watch) control(s *webSocket, op int) error {
	var cerr error
	err := s.socket.raw.Control(func(fd uintptr) {
		cerr = syscall.EpollCtl(w.poller.fd, op, int(fd), &w.event)
	})
	if err != nil {
		return err
	}
	return cerr
}

// arm waits for the next bytes. The caller holds the socket's mu.
func (w *watch) arm(s *webSocket) error { return w.control(s, syscall.EPOLL_CTL_MOD) }

func (w *watch) end() { w.poller.remove(w) }
