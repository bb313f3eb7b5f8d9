package client

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Transport is one way of carrying bytes over HTTP, by the name that
// negotiation uses.
type Transport string

// The transports.
const (
	WebSockets       Transport = "WebSockets"
	ServerSentEvents Transport = "ServerSentEvents" // text only
	LongPolling      Transport = "LongPolling"
)

// link is what the transports have in common.
type link interface {
	// read returns bytes as they come, valid until the next call; it is called
	// by one goroutine.
	read() ([]byte, error)
	// write sends bytes. If the server does not take them in time the link may
	// be lost.
	write(p []byte, deadline time.Time) error
	// goodbye says that this side goes, which takes a second at most. What the
	// server still says can be read.
	goodbye()
	// cut closes the link without a word.
	cut()
}

// choose is which of the transports that a hub offers to try, in its order.
func (c *Client) choose(offers []offer) ([]Transport, error) {
	format := "Text"
	if c.o.Protocol.Binary() {
		format = "Binary"
	}
	var names []string
	var fit []Transport
	for _, o := range offers {
		names = append(names, o.Transport)
		t := Transport(o.Transport)
		switch {
		case t != WebSockets && t != ServerSentEvents && t != LongPolling:
		case c.o.Transport != "" && t != c.o.Transport:
		case t == ServerSentEvents && format == "Binary": // whatever it says
		case !slices.Contains(o.Formats, format), slices.Contains(fit, t):
		default:
			fit = append(fit, t)
		}
	}
	if len(fit) > 0 {
		return fit, nil
	}
	offered := "nothing"
	if len(names) > 0 {
		offered = strings.Join(names, ", ")
	}
	if c.o.Transport != "" {
		return nil, fmt.Errorf("connect: %w: the hub does not offer %s for %s, only %s", ErrNoTransport, c.o.Transport, c.o.Protocol.Name(), offered)
	}
	return nil, fmt.Errorf("connect: %w: for %s the hub offers %s", ErrNoTransport, c.o.Protocol.Name(), offered)
}

// failures are the transports that did not work.
type failures []failure

type failure struct {
	transport Transport
	err       error
}

// err is one error of all; of a single one it is that one's own.
func (f failures) err() error {
	if len(f) == 1 {
		return f[0].err
	}
	return f
}

func (f failures) Error() string {
	text := "no transport works"
	for _, one := range f {
		text += fmt.Sprintf("; %s: %v", one.transport, one.err)
	}
	return text
}

// Unwrap lets callers look for the error of any transport.
func (f failures) Unwrap() []error {
	var list []error
	for _, one := range f {
		list = append(list, one.err)
	}
	return list
}
