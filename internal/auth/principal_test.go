package auth_test

import (
	"math/rand/v2"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
)

// A set answers as a map of the same ids does.
func TestSet(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for size := range 70 {
		ids := make([]event.GUID, size)
		model := map[event.GUID]bool{}
		for i := range ids {
			// Few different bytes: repeats, and neighbours in the order.
			ids[i] = event.GUID{0: byte(random.IntN(4)), 7: byte(random.IntN(4)), 15: byte(random.IntN(4))}
			model[ids[i]] = true
		}
		set := auth.NewSet(ids...)
		if set.Len() != len(model) || len(set.IDs()) != len(model) {
			t.Fatalf("%d ids: got %d, want %d", size, set.Len(), len(model))
		}
		for a := range byte(4) {
			for b := range byte(4) {
				for c := range byte(4) {
					g := event.GUID{0: a, 7: b, 15: c}
					if got := set.Has(g); got != model[g] {
						t.Fatalf("%d ids, %s: got %t, want %t", size, g, got, model[g])
					}
				}
			}
		}
		random.Shuffle(size, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		if !set.Equal(auth.NewSet(ids...)) || size > 0 && set.Equal(auth.Set{}) {
			t.Fatalf("%d ids: wrong equality", size)
		}
	}
}

// A set keeps nothing of what it was made of, and gives nothing of itself.
func TestSetIsItsOwn(t *testing.T) {
	t.Parallel()
	ids := []event.GUID{id(t, queue)}
	set := auth.NewSet(ids...)
	ids[0] = id(t, mate)
	set.IDs()[0] = id(t, list)
	if !set.Has(id(t, queue)) || set.Len() != 1 {
		t.Error("the set changed with the caller's slices")
	}
}

func TestRoleTexts(t *testing.T) {
	t.Parallel()
	for r := auth.User; r <= auth.Admin; r++ {
		if got, ok := auth.ParseRole(r.String()); got != r || !ok {
			t.Errorf("%s: got %s, %t", r, got, ok)
		}
	}
	for _, text := range []string{"", "unknown", "Supervisor", " admin", "root"} {
		if got, ok := auth.ParseRole(text); got != auth.User || ok {
			t.Errorf("%q: got %s, %t, want user and false", text, got, ok)
		}
	}
	if got := auth.Role(200).String(); got != "unknown" {
		t.Errorf("role 200: got %q", got)
	}
	if got := auth.Reason(0).String() + auth.Reason(200).String(); got != "unknownunknown" {
		t.Errorf("reasons 0 and 200: got %q", got)
	}
}
