package event

import (
	"fmt"
	"strings"
)

// A Class groups events under one rule of who may hear them.
type Class string

// A ClassRule is a class and its rule (domain report, 7.2).
type ClassRule struct {
	Class   Class
	Summary string
	Hearers Hearers
}

// Hearers is a set of relations to an event's entity, inside one
// organization; whoever has one of them may hear the event. The empty set is
// nobody. Who stands how to which entity is for auth to say.
type Hearers uint8

// The relations.
const (
	Self         Hearers = 1 << iota // the user that the entity is
	Users                            // who has the entity in its users
	Queues                           // … in its queues
	Lists                            // … in its lists
	ManagedUsers                     // … in its users, as a group manager
	ManagedLists                     // … in its lists, as a group manager
	Supervisor                       // every supervisor
)

// hearerNames are the relations as the catalogue spells them, in the order of
// their bits.
var hearerNames = [...]string{"self", "users", "queues", "lists", "managedUsers", "managedLists", "supervisor"}

// Names lists the relations as the catalogue spells them.
func (h Hearers) Names() []string {
	var names []string
	for i, name := range hearerNames {
		if h&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// parseHearers reads what Names writes.
func parseHearers(names []string) (h Hearers, err error) {
	for _, name := range names {
		bit := Hearers(0)
		for i, known := range hearerNames {
			if name == known {
				bit = 1 << i
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("no relation is called %q: wanted some of %s", name, orList(hearerNames[:]))
		}
		h |= bit
	}
	return h, nil
}

// orList joins words for an error text: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
