package auth

import "rte/internal/event"

// ParseKeySet is how many keys a set has.
func ParseKeySet(text []byte) (int, error) {
	list, _, err := parseKeySet(text)
	return len(list), err
}

// ParsePEM is how many keys a file has.
func ParsePEM(text []byte) (int, error) {
	list, err := parsePEM(text)
	return len(list), err
}

// ParseResolved is the principal of a resolver's answer.
func ParseResolved(text []byte) (*Principal, error) {
	r, _, err := parseResolved(text)
	if err != nil {
		return nil, err
	}
	p := &Principal{}
	if refused := r.fill(p); refused != nil {
		return nil, refused
	}
	return p, nil
}

// Reach is a role's row of the table, to be changed by tests.
type Reach struct {
	Everything bool
	Relations  event.Hearers
}

// Reaches is the table of what roles make of the rules.
func Reaches() []Reach {
	var list []Reach
	for _, r := range reaches {
		list = append(list, Reach{r.everything, r.relations})
	}
	return list
}

// MayBy is May with another table.
func (p *Principal) MayBy(table []Reach, t *event.Type, entity event.GUID) bool {
	r := table[p.Role]
	return p.may(reach{r.Everything, r.Relations}, t, entity)
}

// LimitAnswers sets another bound for the resolver's answers; it returns the
// one there was.
func (v *Verifier) LimitAnswers(bytes int) (before int) {
	v.resolver.mu.Lock()
	defer v.resolver.mu.Unlock()
	before, v.resolver.memory.limit = v.resolver.memory.limit, bytes
	return before
}
