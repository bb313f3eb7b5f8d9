package hub

import (
	"math"
	"math/rand/v2"
	"time"
)

// sweep is the only clock: once a second it pings quiet connections and ends
// silent ones.
func (s *Server) sweep() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	begin := time.Now()
	var conns []*Conn
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := uint32(time.Since(begin) / time.Second)
		s.now.Store(now)
		s.mu.Lock()
		conns = append(conns[:0], s.conns...)
		s.mu.Unlock()
		for _, c := range conns {
			c.tick(now)
		}
		clear(conns)
	}
}

// seconds rounds a duration up to ticks.
func seconds(d time.Duration) uint32 { return uint32((d + time.Second - 1) / time.Second) }

// ages decides how old a connection may become.
func (c *Conn) ages() {
	if most := c.server.o.MaxAge; most > 0 {
		least := most * 3 / 4
		age := least + rand.N(most-least+1)                                               //nolint:gosec // nobody gains by knowing it
		c.aged = c.born + max(1, uint32(min(age, math.MaxInt32*time.Second)/time.Second)) // never beyond MaxAge
	}
}

// expire finds out when the client's token ends.
func (c *Conn) expire() {
	if c.server.o.Expires == nil {
		return
	}
	at, warn := uint32(0), uint32(0)
	if t := c.server.o.Expires(c.User()); !t.IsZero() {
		left := min(max(0, time.Until(t)), math.MaxInt32*time.Second)
		now := c.server.now.Load()
		at = max(1, now+seconds(left))
		if c.server.o.OnExpiring != nil {
			warn = max(1, now+seconds(max(0, left-c.server.o.ExpiringNotice)))
		}
	}
	c.expires.Store(at)
	c.warns.Store(warn)
}

// outlived ends a connection whose time is over, and reports whether it was.
func (c *Conn) outlived(now uint32) bool {
	texts := c.server.o.CloseTexts
	if e := c.expires.Load(); e != 0 && now >= e {
		c.end(Expired, texts[Expired], true)
		return true
	}
	if c.aged != 0 && now >= c.aged {
		c.end(Aged, texts[Aged], true)
		return true
	}
	if w := c.warns.Load(); w != 0 && now >= w && c.isConnected() && c.warns.CompareAndSwap(w, 0) {
		c.server.o.OnExpiring(c)
	}
	return false
}

// isConnected reports whether OnConnected has returned.
func (c *Conn) isConnected() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.stage == connected
}
