package auth

import (
	"errors"
	"time"

	"rte/internal/event"
)

// Rights are what the platform says that a user may see, in the place of what
// its token says. The zero value leaves everything to the token. They never
// change; JSON keeps all of them.
type Rights struct {
	Role   Said[Role]       `json:"role,omitzero"` // User, GroupManager or Supervisor
	Queues Said[event.GUID] `json:"queues,omitzero"`
	Lists  Said[event.GUID] `json:"lists,omitzero"`
	Users  Said[event.GUID] `json:"users,omitzero"`
}

// A Said is what the platform has said about one part of a user's rights, and
// since when. It never changes: [Said.Say] and [Said.Unsay] make another. The
// zero value is that nothing was ever said: what the token says counts, and
// has no beginning.
type Said[T comparable] struct {
	// Given: Parts stand in the place of what the token says. Else the token
	// counts, and if At is set, again.
	Given bool `json:"given,omitempty"`
	// At is when the token began or ceased to count.
	At time.Time `json:"at,omitzero"`
	// Parts are what is given, or was until At: what the token says, too, has
	// not been taken away then.
	Parts []Part[T] `json:"parts,omitempty"`
}

// A Part are rights of one beginning.
type Part[T comparable] struct {
	Since time.Time `json:"since"`
	// Unbroken: said from the moment on when the token ceased to count. If the
	// token says the same, nothing has ever been taken away.
	Unbroken bool `json:"unbroken,omitempty"`
	IDs      []T  `json:"ids"`
}

// Say gives exactly these values from a moment on. Those that are given
// already keep their beginning.
func (s Said[T]) Say(at time.Time, values ...T) Said[T] {
	was := s.byValue()
	out := Said[T]{Given: true, At: at}
	if s.Given {
		out.At = s.At
	}
	place := map[partKey]int{}
	have := map[T]struct{}{}
	for _, v := range values {
		if _, twice := have[v]; twice {
			continue
		}
		have[v] = struct{}{}
		before, known := was[v]
		key := partKey{at.UnixNano(), !s.Given && (s.At.IsZero() || known && before.unbroken)}
		if s.Given && known {
			key = before
		}
		i, ok := place[key]
		if !ok {
			i = len(out.Parts)
			place[key] = i
			out.Parts = append(out.Parts, Part[T]{Since: time.Unix(0, key.since).UTC(), Unbroken: key.unbroken})
		}
		out.Parts[i].IDs = append(out.Parts[i].IDs, v)
	}
	return out
}

// Unsay lets the token count again from a moment on. What it says and was not
// given until then begins then.
func (s Said[T]) Unsay(at time.Time) Said[T] {
	if !s.Given {
		return s
	}
	return Said[T]{At: at, Parts: s.Parts}
}

// Values are what is given; nil where the token counts.
func (s Said[T]) Values() []T {
	if !s.Given {
		return nil
	}
	list := []T{}
	for _, p := range s.Parts {
		list = append(list, p.IDs...)
	}
	return list
}

type partKey struct {
	since    int64 // Unix nanoseconds
	unbroken bool
}

func (s Said[T]) byValue() map[T]partKey {
	m := map[T]partKey{}
	for _, p := range s.Parts {
		for _, v := range p.IDs {
			m[v] = partKey{p.Since.UnixNano(), p.Unbroken}
		}
	}
	return m
}

// MarshalText is the role as the claim spells it (encoding.TextMarshaler).
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role (encoding.TextUnmarshaler).
func (r *Role) UnmarshalText(text []byte) error {
	role, ok := ParseRole(string(text))
	if !ok {
		return errors.New("no such role")
	}
	*r = role
	return nil
}
