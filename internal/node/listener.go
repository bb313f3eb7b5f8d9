package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// A listener is an open address and the server behind it.
type listener struct {
	net    net.Listener
	server *http.Server
	done   chan struct{}
	scheme string
}

func listen(ctx context.Context, addr, flag string) (*listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open --%s %s: %w", flag, addr, err)
	}
	return &listener{net: narrow{l}}, nil
}

// sendBuffer is what the system may hold of each connection for a client that
// does not read, in bytes, about. Left alone, Linux lets it grow to 4 MiB: four
// times what --queue-bytes bounds (measured). It must hold a loopback segment of
// 64 KiB with room to spare.
const sendBuffer = 128 << 10

// narrow bounds the send buffers of the connections that come, whatever
// transport they are for.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(sendBuffer) //nolint:errcheck // a connection that has gone again tells when it is read
	}
	return c, err
}

// Limits of every listener. A request's head must come soon and be of decent
// size: a token with some hundred ids in the query fits.
const (
	headTimeout = 10 * time.Second
	idleTimeout = 2 * time.Minute
	maxHead     = 128 << 10
)

func (l *listener) serve(h http.Handler, c *tls.Config, log *slog.Logger) {
	l.scheme = "http"
	if c != nil {
		l.scheme = "https"
		l.net = tls.NewListener(l.net, c)
	}
	l.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          quiet(log),
	}
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		if err := l.server.Serve(l.net); !errors.Is(err, http.ErrServerClosed) {
			log.Error("listener ended", "err", err)
		}
	}()
}

// quiet takes net/http's own lines.
func quiet(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }

// close ends the listener and waits for the requests that are under way.
func (l *listener) close(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	if err != nil {
		l.server.Close() //nolint:errcheck // what is left is cut
	}
	<-l.done
	return err
}

func (l *listener) url() string {
	addr := l.net.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return l.scheme + "://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}
