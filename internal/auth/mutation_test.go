package auth_test

import (
	"fmt"
	"slices"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
)

// TestEveryRuleCounts changes the rules in every single way: each relation of
// each class of the catalogue, each relation of each role, each role's reach.
// The grid must notice every change: a rule that could be changed unseen would
// be one that no test holds.
func TestEveryRuleCounts(t *testing.T) {
	t.Parallel()
	cells := grid(t)
	tried := 0
	notice := func(what string, may func(c *cell, p *auth.Principal) bool) {
		t.Helper()
		tried++
		if n, _ := disagree(t, cells, may); n == 0 {
			t.Errorf("no cell of the grid notices this change: %s", what)
		}
	}

	catalog := event.NewCatalog()
	for _, rule := range catalog.Classes {
		for bit := event.Self; bit <= event.Supervisor; bit <<= 1 {
			if implied(rule.Hearers&^bit, bit) {
				continue // whoever manages a user has it in its users
			}
			changed := rule.Hearers ^ bit
			notice(fmt.Sprintf("class %s heard by %v", rule.Class, changed.Names()), func(c *cell, p *auth.Principal) bool {
				typ := *c.typ
				if typ.Class == rule.Class {
					typ.Hearers = changed
				}
				return p.May(&typ, entity(t, c.mark))
			})
		}
		for _, other := range catalog.Classes {
			if other.Hearers == rule.Hearers {
				continue
			}
			notice(fmt.Sprintf("class %s by the rule of %s", rule.Class, other.Class), func(c *cell, p *auth.Principal) bool {
				typ := *c.typ
				if typ.Class == rule.Class {
					typ.Hearers = other.Hearers
				}
				return p.May(&typ, entity(t, c.mark))
			})
		}
	}

	for role, row := range auth.Reaches() {
		by := func(what string, change func(*auth.Reach)) {
			table := slices.Clone(auth.Reaches())
			change(&table[role])
			notice(fmt.Sprintf("role %s: %s", auth.Role(role), what), func(c *cell, p *auth.Principal) bool {
				return p.MayBy(table, c.typ, entity(t, c.mark))
			})
		}
		by("everything", func(r *auth.Reach) { r.Everything = !r.Everything })
		if row.Everything {
			continue // its relations are not asked
		}
		for bit := event.Self; bit <= event.Supervisor; bit <<= 1 {
			by(fmt.Sprint("relation ", bit.Names()), func(r *auth.Reach) { r.Relations ^= bit })
		}
	}

	notice("the switch stays off", func(c *cell, _ *auth.Principal) bool {
		return holder(t, c.role).May(c.typ, entity(t, c.mark))
	})
	notice("the switch is always on", func(c *cell, _ *auth.Principal) bool {
		return holderOf(t, c.role, auth.Options{OpenAvailability: true}).May(c.typ, entity(t, c.mark))
	})
	notice("the switch opens the whole class", func(c *cell, p *auth.Principal) bool {
		typ := *c.typ
		if typ.Class == "presence" {
			typ.Name = "UserAvailability"
		}
		return p.May(&typ, entity(t, c.mark))
	})
	if want := 6*7 - 2 + 30 + 6 + 5*7 + 3; tried != want {
		t.Errorf("%d changes tried, want %d", tried, want)
	}
}

// implied is true for a relation that changes nothing beside the others.
func implied(others, bit event.Hearers) bool {
	return bit == event.ManagedUsers && others&event.Users != 0 || bit == event.ManagedLists && others&event.Lists != 0
}
