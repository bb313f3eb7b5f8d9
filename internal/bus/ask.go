package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// An Ask is one kind of question to all nodes that run now, this one included,
// such as "which connections do you have". Q and A travel as JSON; an answer
// must stay below the servers' largest message, a megabyte. It is safe for
// concurrent use.
//
// How many answers are to come is known by who has asked or answered before:
// every node says hello when it begins to answer, and goodbye when it ends.
// One that has been killed is waited for in vain, once.
type Ask[Q, A any] struct {
	bus     *Bus
	subject string
	node    string // this one

	mu    sync.Mutex
	known map[string]struct{} // the others
}

// question and reply are what is sent.
type question[Q any] struct {
	Node string `json:"node"`
	Hi   bool   `json:"hi,omitempty"`  // nothing but hello
	Bye  bool   `json:"bye,omitempty"` // nothing but goodbye
	Q    *Q     `json:"q,omitempty"`
}

type reply[A any] struct {
	Node string `json:"node"`
	A    *A     `json:"a,omitempty"`
}

// NewAsk names a kind of question; names are as with [NewControl], and no kind
// of control message has it.
func NewAsk[Q, A any](b *Bus, kind string) *Ask[Q, A] {
	mustBeWord(kind)
	return &Ask[Q, A]{bus: b, subject: controlPrefix + kind, node: rand.Text(), known: map[string]struct{}{}}
}

// Answer answers every question that comes from then on, this node's own
// included, one at a time. stop waits for the last one, so answer must not call
// it; [Bus.Close] does the same.
func (a *Ask[Q, A]) Answer(answer func(Q) A) (stop func(), err error) {
	b := a.bus
	end, err := b.listen(b.conn, a.subject, "", func(m *nats.Msg) {
		var q question[Q]
		if err := json.Unmarshal(m.Data, &q); err != nil {
			b.log.Warn("question left out", "topic", a.subject, "reason", "unreadable", "err", err)
			return
		}
		a.know(q.Node, !q.Bye)
		r := reply[A]{Node: a.node}
		if q.Q != nil {
			v := answer(*q.Q)
			r.A = &v
		}
		a.send(m.Reply, r)
	})
	if err != nil {
		return nil, fmt.Errorf("answer on %s: %w", a.subject, err)
	}
	// Who answers the hello is known then; nobody needs to wait for it.
	a.hello()
	return func() {
		a.tell(question[Q]{Node: a.node, Bye: true})
		end()
	}, nil
}

// hello makes the nodes known to one another.
func (a *Ask[Q, A]) hello() {
	conn := a.bus.conn
	inbox := conn.NewRespInbox()
	sub, err := conn.Subscribe(inbox, func(m *nats.Msg) {
		var r reply[A]
		if json.Unmarshal(m.Data, &r) == nil {
			a.know(r.Node, true)
		}
	})
	if err != nil {
		return // the connection is closed
	}
	time.AfterFunc(helloWait, func() { _ = sub.Unsubscribe() })
	body, err := json.Marshal(question[Q]{Node: a.node, Hi: true})
	if err == nil {
		_ = conn.PublishRequest(a.subject, inbox, body) // unheard, it costs a wait later
	}
}

// helloWait is how long other nodes may take to answer a hello.
const helloWait = 5 * time.Second

func (a *Ask[Q, A]) tell(q question[Q]) { a.send(a.subject, q) }

func (a *Ask[Q, A]) send(subject string, v any) {
	if subject == "" {
		return
	}
	body, err := json.Marshal(v)
	if err == nil {
		err = a.bus.conn.Publish(subject, body)
	}
	if err != nil {
		a.bus.log.Warn("answer not sent", "topic", a.subject, "err", err)
	}
}

func (a *Ask[Q, A]) know(node string, there bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case node == a.node || node == "":
	case there:
		a.known[node] = struct{}{}
	default:
		delete(a.known, node)
	}
}

// expected are the nodes that are to answer, this one included.
func (a *Ask[Q, A]) expected() map[string]struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := map[string]struct{}{a.node: {}}
	for node := range a.known {
		m[node] = struct{}{}
	}
	return m
}

// All asks and gathers the answers, in no promised order, until every node has
// answered that is known or the wait is over. missing is how many nodes did not
// answer. This node must be answering.
func (a *Ask[Q, A]) All(ctx context.Context, q Q, wait time.Duration) (answers []A, missing int, err error) {
	conn := a.bus.conn
	inbox := conn.NewRespInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, fmt.Errorf("ask on %s: %w", a.subject, sendError(err))
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is then closed
	body, err := json.Marshal(question[Q]{Node: a.node, Q: &q})
	if err == nil {
		err = conn.PublishRequest(a.subject, inbox, body)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("ask on %s: %w", a.subject, sendError(err))
	}
	left := a.expected()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for len(left) > 0 {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			break // the wait is over; what has come counts
		}
		var r reply[A]
		if err := json.Unmarshal(m.Data, &r); err != nil || r.A == nil {
			continue
		}
		answers = append(answers, *r.A)
		a.know(r.Node, true)
		delete(left, r.Node)
	}
	for node := range left { // gone, or so slow that nobody should wait again
		a.know(node, false)
	}
	return answers, len(left), nil
}
