package hub

import (
	"errors"
	"fmt"
)

// An Error is meant for the other side: its text is sent whatever
// DetailedErrors says (the released server's HubException). It is also how
// the other side's own failures arrive: [Conn.Invoke], [Upload.Next].
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// ErrEnded means that the connection has ended, or is about to.
var ErrEnded = errors.New("hub: the connection has ended")

// ErrLater is for OnConnected to wrap: what refuses the client may pass, so it
// is told that it may come back.
var ErrLater = errors.New("hub: not now")

// ErrUnauthorized is for methods and streams to return: their user may not call
// them. The client is told so in the released server's words.
var ErrUnauthorized = errors.New("hub: the user may not call this method")

// errArguments means that an invocation's arguments do not fit its method.
type errArguments struct{ text string }

func (e *errArguments) Error() string { return e.text }

// errorText is what a client is told of a method's failure (the released
// server's wording).
func (s *Server) errorText(target string, err error) string {
	if errors.Is(err, ErrUnauthorized) {
		return fmt.Sprintf("Failed to invoke '%s' because user is unauthorized", target)
	}
	text := fmt.Sprintf("An unexpected error occurred invoking '%s' on the server.", target)
	if _, bad := errors.AsType[*errArguments](err); bad {
		text = fmt.Sprintf("Failed to invoke '%s' due to an error on the server.", target)
	}
	return s.withDetail(text, err)
}

// withDetail adds to a text what the client may know of an error.
func (s *Server) withDetail(text string, err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return text + " HubException: " + e.Text
	}
	if !s.o.DetailedErrors {
		return text
	}
	if bad, ok := errors.AsType[*errArguments](err); ok {
		return text + " InvalidDataException: " + bad.text
	}
	return text + " Error: " + err.Error()
}
