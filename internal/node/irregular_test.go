package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/signalr"
)

// The product's page contradicts itself in 44 places, which the catalogue
// numbers. Each has a test here of what RTE does about it, at a running node.

// irregularities are in three tables: names and fields, meaning, hub calls.
func irregularities() []irregularity {
	var all []irregularity
	return append(append(append(all, irregularNames()...), irregularMeaning()...), irregularCalls()...)
}

// An irregularity is one number, what RTE does about it, and the test of it.
type irregularity struct {
	id, rule string
	show     func(s *stage)
}

func TestIrregularities(t *testing.T) {
	t.Parallel()
	const numbers = 44
	tests := map[string]irregularity{}
	for _, i := range irregularities() {
		if _, twice := tests[i.id]; twice || i.rule == "" {
			t.Errorf("%s is there twice, or without a rule", i.id)
		}
		tests[i.id] = i
	}
	if len(tests) != numbers {
		t.Errorf("%d irregularities, want %d", len(tests), numbers)
	}
	w := start(t, nil)
	for n := 1; n <= numbers; n++ {
		id := fmt.Sprintf("I%02d", n)
		i, ok := tests[id]
		if !ok {
			t.Errorf("%s has no test", id)
			continue
		}
		t.Run(id+" "+i.rule, func(t *testing.T) {
			i.show(&stage{world: &world{Node: w.Node, t: t, log: w.log}, cat: event.NewCatalog(), n: byte(n)})
		})
	}
}

// A stage is a node, and ids that no other test on it has.
type stage struct {
	*world

	cat    *event.Catalog
	n      byte
	ids    byte
	hearer *visitor // hears everything of the organization
}

// id is a fresh Guid.
func (s *stage) id() string {
	s.ids++
	return event.GUID{0xe, s.n, 15: s.ids}.String()
}

// offer publishes data under an envelope; entity "" leaves it out.
func (s *stage) offer(name, entity, data string) (status int, answer string) {
	s.t.Helper()
	if entity != "" {
		entity = `"entityId":"` + entity + `",`
	}
	return s.post(service(s.t, orgA), "application/json", fmt.Sprintf(`{"organizationId":%q,%s"eventName":%q,"data":%s}`, orgA, entity, name, data))
}

// refused says that the door does not take data, for the reason at a path.
func (s *stage) refused(name, entity, data, path string) {
	s.t.Helper()
	status, answer := s.offer(name, entity, data)
	if status != http.StatusOK || !strings.Contains(answer, `"accepted":0`) || !strings.Contains(answer, fmt.Sprintf(`"path":%q`, path)) {
		s.t.Errorf("%s %s: got %d %s, want it refused at %s", name, data, status, answer, path)
	}
}

// through publishes data and returns what a subscriber of the entity got.
// envelope is what the envelope says, if it is not the same.
func (s *stage) through(name, entity, data string, envelope ...string) push {
	s.t.Helper()
	if s.hearer == nil {
		s.hearer = s.visit(service(s.t, orgA))
	}
	s.hearer.subscribe(entity + ":" + name)
	in := entity
	if len(envelope) > 0 {
		in = envelope[0]
	}
	if status, answer := s.offer(name, in, data); status != http.StatusOK || !strings.HasPrefix(answer, `{"accepted":1,`) {
		s.t.Fatalf("%s %s: %d %s", name, data, status, answer)
	}
	p := s.hearer.next()
	if p.Subscription.EntityID != entity {
		s.t.Errorf("%s came for %s, want %s", name, p.Subscription.EntityID, entity)
	}
	return p
}

// becomes publishes in and wants out.
func (s *stage) becomes(name, in, out string) {
	s.t.Helper()
	if got := string(s.through(name, s.id(), in).Data); got != out {
		s.t.Errorf("%s %s\n got %s\nwant %s", name, in, got, out)
	}
}

// field is a field of the catalogue.
func (s *stage) field(name, field string) *event.Field {
	s.t.Helper()
	var f *event.Field
	typ, ok := s.cat.Lookup(name)
	for _, helper := range s.cat.Helpers {
		if helper.Name == name {
			typ, ok = helper, true
		}
	}
	if ok {
		f, ok = typ.Field(field)
	}
	if !ok {
		s.t.Fatalf("no %s.%s in the catalogue", name, field)
	}
	return f
}

// user is a client with a token of role user; change may be nil.
func (s *stage) user(change func(*auth.Claims)) *visitor { return s.visit(sign(s.t, change)) }

// call invokes a hub method and returns its result as JSON text.
func (v *visitor) call(method string, args ...any) string {
	v.t.Helper()
	r, err := v.Invoke(v.t.Context(), method, args...)
	if err != nil {
		v.t.Fatalf("%s: %v", method, err)
	}
	var text json.RawMessage
	if err := signalr.Decode(r, &text); err != nil {
		v.t.Fatalf("%s: %v", method, err)
	}
	return string(text)
}

// says wants a method's result to be exactly this text.
func (v *visitor) says(want, method string, args ...any) {
	v.t.Helper()
	if got := v.call(method, args...); got != want {
		v.t.Errorf("%s(%s)\n got %s\nwant %s", method, args, got, want)
	}
}

// raw is an argument as JSON text.
func raw(text string) signalr.Value { return signalr.RawJSON([]byte(text)) }
