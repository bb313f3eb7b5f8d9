package hub

import (
	"bytes"
	"errors"
	"fmt"

	"rte/signalr"
	"rte/signalr/transport"
)

// errEnded stops the feeder: the connection is being closed.
var errEnded = errors.New("hub: the connection is being closed")

// errSequence means that the client goes on behind messages that never came.
var errSequence = errors.New("hub: messages of the client's are missing")

// Feed takes bytes from the client (transport.Receiver).
func (c *Conn) Feed(p []byte) error {
	if c.ending() {
		return errEnded
	}
	if c.protocol.Load() == nil {
		rest, done := c.shake(p)
		if !done {
			if c.ending() {
				return errEnded
			}
			return nil
		}
		p = rest
	}
	max := c.server.o.MaxMessageBytes
	err := c.reader.Feed(*c.protocol.Load(), max, p, c.record)
	switch {
	case err == nil || errors.Is(err, errEnded):
		return err
	case errors.Is(err, errSequence):
		c.end(Protocol, c.closeText(Protocol, "InvalidOperationException: Sequence ID greater than amount of messages we've received."), true)
	case errors.Is(err, signalr.ErrTooLarge):
		c.server.tooLarge.Add(1)
		c.end(Protocol, c.closeText(Protocol, fmt.Sprintf("InvalidDataException: The maximum message size of %dB was exceeded. The message size can be configured in AddHubOptions.", max)), true)
	default:
		c.end(Protocol, c.closeText(Protocol, "InvalidDataException: "+err.Error()), true)
	}
	c.server.o.Logger.Debug("message refused", "conn", c.ID(), "err", err)
	return errEnded
}

// shake collects the handshake. done means that it succeeded and rest is what
// came behind it.
func (c *Conn) shake(p []byte) (rest []byte, done bool) {
	text, taken := signalr.SplitHandshake(p)
	if taken == 0 {
		if len(c.handshake)+len(p) > c.server.o.MaxMessageBytes {
			c.refuse("Handshake was canceled.")
			return nil, false
		}
		c.handshake = append(c.handshake, p...)
		return nil, false
	}
	if len(c.handshake)+taken > c.server.o.MaxMessageBytes {
		c.refuse("Handshake was canceled.")
		return nil, false
	}
	if len(c.handshake) > 0 {
		text = append(c.handshake, text...)
		c.handshake = nil
	}
	request, err := signalr.ParseHandshakeRequest(text)
	if err != nil {
		c.server.o.Logger.Debug("handshake refused", "conn", c.ID(), "err", err)
		c.refuse("An unexpected error occurred during connection handshake.")
		return nil, false
	}
	protocol := protocolNamed(request.Protocol)
	switch {
	case protocol == nil:
		c.refuse(fmt.Sprintf("The protocol '%s' is not supported.", request.Protocol))
		return nil, false
	case request.Version > maxProtocolVersion: // any older one is taken, as the released server does
		c.refuse(fmt.Sprintf("The server does not support version %d of the '%s' protocol.", request.Version, request.Protocol))
		return nil, false
	case protocol.Binary() && c.Transport().Transport() == transport.ServerSentEvents:
		c.refuse(fmt.Sprintf("Cannot use the '%s' protocol on the current transport. The transport does not support 'Binary' transfer format.", request.Protocol))
		return nil, false
	}
	c.retain(request.Version)
	return p[taken:], c.welcome(protocol)
}

// maxProtocolVersion is the newest version of both protocols; it brought
// stateful reconnect.
const maxProtocolVersion, statefulVersion = 2, 2

func protocolNamed(name string) signalr.Protocol {
	for _, p := range [...]signalr.Protocol{signalr.JSON{}, signalr.MessagePack{}} {
		if name == p.Name() {
			return p
		}
	}
	return nil
}

// welcome answers a good handshake; whatever is sent from now on comes behind
// the answer. It reports false if the connection has ended meanwhile.
func (c *Conn) welcome(p signalr.Protocol) bool {
	now := c.server.now.Load()
	c.received.Store(now)
	c.sent.Store(now)
	o := &c.out
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return false
	}
	o.head = signalr.AppendHandshakeResponse(nil, "")
	if c.counts != nil {
		o.replay, o.unheard = &replay{next: 1}, true
	}
	o.busy = true
	c.protocol.Store(&p)
	o.mu.Unlock()
	c.server.flush.add(c)
	c.enqueue(0, c.connect)
	return true
}

// refuse answers a bad handshake and ends the connection; no Close message
// follows (HubProtocol.md, "Handshake"). A good one that came first stands.
func (c *Conn) refuse(text string) {
	o := &c.out
	o.mu.Lock()
	wake := c.protocol.Load() == nil && o.end(Refused, signalr.AppendHandshakeResponse(nil, text), false)
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// record takes one message.
func (c *Conn) record(b []byte) error {
	// The message keeps parts of its record, which is the feeder's: one copy
	// of the whole is cheaper than one of each part.
	m, err := (*c.protocol.Load()).Parse(bytes.Clone(b))
	if err != nil {
		return err
	}
	c.received.Store(c.server.now.Load())
	if c.counts != nil {
		c.hear()
		if fresh, err := c.counts.take(m); !fresh {
			return err
		}
	}
	switch m := m.(type) {
	case *signalr.Invocation:
		c.server.calls.Add(1)
		c.dispatch(m, len(b))
	case *signalr.StreamItem:
		c.uploaded(m)
	case *signalr.Completion:
		c.completed(m)
	case *signalr.CancelInvocation:
		c.cancelStream(m.ID)
	case *signalr.Ping:
		c.pinged.Store(true)
	case *signalr.Ack:
		c.acked(m.ID)
	case *signalr.Close:
		c.end(Goodbye, "", true)
		return errEnded
	}
	// Items and completions of streams that nobody has opened, cancellations
	// of what does not run, and messages of unknown types are ignored, as the
	// released server does.
	return nil
}
