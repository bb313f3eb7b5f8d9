package signalr

// A Message is one of the messages of the hub protocol: [*Invocation],
// [*StreamItem], [*Completion], [*CancelInvocation], [*Ping], [*Close],
// [*Ack] or [*Sequence].
type Message interface{ messageType() int }

// The numbers of the messages on the wire (HubProtocol.md, "Message types").
const (
	typeInvocation       = 1
	typeStreamItem       = 2
	typeCompletion       = 3
	typeStreamInvocation = 4
	typeCancelInvocation = 5
	typePing             = 6
	typeClose            = 7
	typeAck              = 8
	typeSequence         = 9
)

// An Invocation asks the other side to run a method.
type Invocation struct {
	// ID is what the Completion will name; "" wants no answer, not even an
	// error. It is never written as null or "": released clients drop the
	// connection on either.
	ID        string
	Target    string            // the method's name; matched ignoring case
	Arguments []Value           // received ones are [Raw]
	StreamIDs []string          // streams that the caller will send items on
	Headers   map[string]string // passed through; no meaning to the protocol
	Stream    bool              // a StreamInvocation: the answer is a stream of items
}

// A StreamItem is one item of a stream, in either direction.
type StreamItem struct {
	ID      string // of the invocation or of the upload stream
	Item    Value
	Headers map[string]string
}

// A Completion ends an invocation or a stream: with a result, with an error,
// or with neither.
type Completion struct {
	ID      string
	Result  Value  // nil: no result. A void method answers [Null].
	Error   string // "" is success
	Headers map[string]string
}

// A CancelInvocation asks the server to stop a stream.
type CancelInvocation struct {
	ID      string
	Headers map[string]string
}

// A Ping keeps the connection from being taken for dead.
type Ping struct{}

// A Close says that the sender will close the connection.
type Close struct {
	Error string // "" means no error
	// AllowReconnect lets clients with automatic reconnect come back; without
	// it they stay away for good.
	AllowReconnect bool
}

// An Ack tells the sender how many of its messages have been processed
// (stateful reconnect).
type Ack struct{ ID int64 }

// A Sequence is the first message on the new transport of a reconnected
// connection: the id of the first message the sender will replay, or the id
// its next message will have when there is none to replay. HubProtocol.md
// says otherwise; the released clients and servers do this.
type Sequence struct{ ID int64 }

func (m *Invocation) messageType() int {
	if m.Stream {
		return typeStreamInvocation
	}
	return typeInvocation
}
func (*StreamItem) messageType() int       { return typeStreamItem }
func (*Completion) messageType() int       { return typeCompletion }
func (*CancelInvocation) messageType() int { return typeCancelInvocation }
func (*Ping) messageType() int             { return typePing }
func (*Close) messageType() int            { return typeClose }
func (*Ack) messageType() int              { return typeAck }
func (*Sequence) messageType() int         { return typeSequence }
