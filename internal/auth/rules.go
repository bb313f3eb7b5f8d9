package auth

import "rte/internal/event"

// Rules are what the settings and the platform add to the rules. The zero
// value adds nothing. Not to be changed once principals have it.
type Rules struct {
	// OpenAvailability lets everybody hear the UserAvailability of the whole
	// organization.
	OpenAvailability bool
	// Directory, where it has entries, says what there is in an organization
	// for those who may hear everything of a sort; what is not there is
	// refused them like what is forbidden.
	Directory *Directory
	// Revocations are the tokens that the platform has taken back; nil is
	// none.
	Revocations *Revocations
}

// openEvent is the one that Rules.OpenAvailability is about. Every other right
// goes by an event's class.
const openEvent = "UserAvailability"

// A reach is what a role makes of the rules. A rule is the line of a class in
// the catalogue: which relations to the entity are enough (event.Hearers).
type reach struct {
	everything bool          // no rule is asked
	relations  event.Hearers // those that count
}

// own are the relations that need no role.
const own = event.Self | event.Users | event.Queues | event.Lists

// reaches says who may hear what (domain report, 7.2), together with the
// catalogue's classes. What is not allowed there is forbidden.
var reaches = [...]reach{
	User:         {relations: own},
	GroupManager: {relations: own | event.ManagedUsers | event.ManagedLists},
	Supervisor:   {relations: own | event.Supervisor},
	Service:      {everything: true},
	Platform:     {},
	Admin:        {},
}

// May tells whether the principal may hear the event of the entity, inside its
// own organization: the topic's key keeps organizations apart, whatever is
// answered here. Unknown and forbidden entities give the same answer.
func (p *Principal) May(t *event.Type, entity event.GUID) bool {
	return int(p.Role) < len(reaches) && p.may(reaches[p.Role], t, entity)
}

// may decides in the documented order: a service, the switch, the class.
func (p *Principal) may(r reach, t *event.Type, entity event.GUID) bool {
	switch {
	case t == nil:
		return false
	case r.everything:
		return true
	case p.rules != nil && p.rules.OpenAvailability && t.Name == openEvent && r.relations != 0:
		return entity == p.User || p.belongs(t, entity)
	}
	enough := t.Hearers & r.relations
	return enough&event.Self != 0 && entity == p.User ||
		enough&(event.Users|event.ManagedUsers) != 0 && p.Users.Has(entity) ||
		enough&event.Queues != 0 && p.Queues.Has(entity) ||
		enough&(event.Lists|event.ManagedLists) != 0 && p.Lists.Has(entity) ||
		enough&event.Supervisor != 0 && p.belongs(t, entity)
}

// belongs tells whether an entity may be one of the organization's: it is not,
// if the platform has said what there is and has not named it.
func (p *Principal) belongs(t *event.Type, entity event.GUID) bool {
	s, ok := sortOf(t)
	if !ok || p.rules == nil {
		return true
	}
	has, known := p.rules.Directory.Has(p.Org, s, entity)
	return has || !known
}

// MayConnect tells whether the hub takes the principal: platform and admin
// have nothing to hear there (contract, Roles).
func (p *Principal) MayConnect() bool { return p.Role <= Service }

// MayPublish tells whether the principal may publish for the organization: a
// service for its own, platform for any (contract, Roles).
func (p *Principal) MayPublish(org event.GUID) bool {
	return p.Role == Platform || p.Role == Service && p.Org == org
}
