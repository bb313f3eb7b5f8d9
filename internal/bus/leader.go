package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rte/internal/event"
)

// What only a stream's leader knows. JetStream's API answers from there, a
// direct get from any replica, which may be behind.

// A look is what a stream's leader says of it.
type look struct {
	first, last uint64    // sequence numbers; first is last+1 if nothing is kept
	leader      string    // the server's name; "" without a cluster
	created     time.Time // another one: another stream
	led         bool      // most servers that keep it follow this leader
	now         time.Time // of the leader's clock
	replicas    int
	subjects    []string // those asked for
}

// infoAnswer is STREAM.INFO's answer as far as it is read.
type infoAnswer struct {
	Error  *apiError `json:"error"`
	Total  int       `json:"total"` // subjects in all
	Config struct {
		Replicas int `json:"num_replicas"`
	} `json:"config"`
	Created time.Time `json:"created"`
	Now     time.Time `json:"ts"`
	State   struct {
		First    uint64            `json:"first_seq"`
		Last     uint64            `json:"last_seq"`
		Subjects map[string]uint64 `json:"subjects"`
	} `json:"state"`
	Cluster struct {
		Leader   string `json:"leader"` // "" where a leader has found out that it is none any more
		Replicas []struct {
			Active time.Duration `json:"active"` // since the leader last heard of it
		} `json:"replicas"`
	} `json:"cluster"`
}

// An apiError is a refusal of JetStream's API.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("store: %s (%d)", e.Description, e.ErrCode) }

// leaderWait is how long an answer of JetStream's API may take.
const leaderWait = 2 * time.Second

// JetStream's code for: there is no such message.
const codeNoMessage = 10037

// look asks the leader once. Its errors wrap [event.ErrUnavailable].
func (b *Bus) look(ctx context.Context, s *stream) (look, error) {
	a, err := b.info(ctx, s, nil)
	return a.look(), err
}

// subjectsOf is a look with the subjects of a filter.
func (b *Bus) subjectsOf(ctx context.Context, s *stream, filter string) (look, error) {
	var l look
	for first := true; ; first = false {
		body, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": len(l.subjects)})
		if err != nil {
			return l, err
		}
		a, err := b.info(ctx, s, body)
		if err != nil {
			return l, err
		}
		if first {
			l = a.look() // what comes later may be newer than the first names
		}
		for name := range a.State.Subjects {
			l.subjects = append(l.subjects, name)
		}
		if len(a.State.Subjects) == 0 || len(l.subjects) >= a.Total {
			return l, nil
		}
	}
}

func (b *Bus) info(ctx context.Context, s *stream, body []byte) (a infoAnswer, err error) {
	if err = b.askLeader(ctx, "$JS.API.STREAM.INFO."+s.name, body, &a); err == nil && a.Error != nil {
		err = fmt.Errorf("%w: %w", event.ErrUnavailable, a.Error)
	}
	return a, err
}

func (a *infoAnswer) look() look {
	return look{
		first: a.State.First, last: a.State.Last, leader: a.Cluster.Leader,
		created: a.Created, now: a.Now, replicas: a.Config.Replicas, led: a.led(),
	}
}

// askLeader asks JetStream's API.
func (b *Bus) askLeader(ctx context.Context, subject string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	m, err := b.conn.RequestWithContext(ctx, subject, body)
	if err == nil {
		err = json.Unmarshal(m.Data, answer)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	return nil
}

// lookPatiently tries until ctx ends. Those who call at once share a look.
func (b *Bus) lookPatiently(ctx context.Context, s *stream) (look, error) {
	for n := 0; ; n++ {
		l, err := s.looks.share(ctx, func() (look, error) { return b.look(b.life, s) })
		if err == nil {
			return l, nil
		}
		if err := b.pause(ctx, n, err); err != nil {
			return l, err
		}
	}
}

// firstSince is the first sequence number of a stream that was stored at or
// behind a time, but at most another one. It tries until ctx ends.
func (b *Bus) firstSince(ctx context.Context, s *stream, t time.Time, atMost uint64) (uint64, error) {
	for n := 0; ; n++ {
		m, found, err := b.leaderGet(ctx, s, getRequest{Next: ">", StartTime: &t, NoHeaders: true})
		switch {
		case err == nil && found:
			return min(m.Sequence, atMost), nil
		case err == nil:
			return atMost, nil
		}
		if err := b.pause(ctx, n, err); err != nil {
			return 0, err
		}
	}
}

// leaderGet reads one message from the leader; found is false if there is
// none. It tries once.
func (b *Bus) leaderGet(ctx context.Context, s *stream, r getRequest) (m leaderMessage, found bool, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return m, false, err
	}
	var a struct {
		Error   *apiError     `json:"error"`
		Message leaderMessage `json:"message"`
	}
	if err := b.askLeader(ctx, "$JS.API.STREAM.MSG.GET."+s.name, body, &a); err != nil {
		return m, false, err
	}
	switch {
	case a.Error == nil:
		return a.Message, true, nil
	case a.Error.ErrCode == codeNoMessage:
		return m, false, nil
	}
	return m, false, fmt.Errorf("%w: %w", event.ErrUnavailable, a.Error)
}

// A leaderMessage is a message as JetStream's API gives it.
type leaderMessage struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}
