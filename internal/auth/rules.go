package auth

import "rte/internal/event"

// A relation is how a principal stands to an entity; a rule names those that
// are enough.
type relation uint8

const (
	itself      relation = 1 << iota // the entity is the principal's own user
	inUsers                          // the token lists it in users
	inQueues                         // … in queues
	inLists                          // … in lists
	managesUser                      // … in users, and the role is groupmanager
	managesList                      // … in lists, and the role is groupmanager
	supervises                       // the role is supervisor: any entity
)

// rules is who may hear what (domain report, 7.2). The first rule with the
// event's class decides; what no rule allows is forbidden.
var rules = [...]struct {
	class   event.Class
	allowed relation // any of these
}{
	{event.Personal, itself},
	{event.Presence, itself | inUsers | supervises},
	{event.UserCalls, itself | managesUser | supervises},
	{event.Queue, inQueues | supervises},
	{event.List, inLists | supervises},
	{event.Senders, managesList | supervises},
}

// May tells whether the principal may hear the event of the entity, inside its
// own organization: which organization an entity belongs to is not looked at,
// the topic's key settles that. Users go by the rules; a service hears
// everything, platform and admin nothing. Unknown and forbidden entities give
// the same answer.
func (p *Principal) May(t *event.Type, entity event.GUID) bool {
	if t == nil {
		return false
	}
	switch p.Role {
	case Service:
		return true
	case User, GroupManager, Supervisor:
		for i := range rules {
			if rules[i].class == t.Class {
				return p.stands(rules[i].allowed, entity)
			}
		}
	}
	return false
}

// stands tells whether the principal has any of the relations to the entity.
func (p *Principal) stands(any relation, entity event.GUID) bool {
	manager := p.Role == GroupManager
	return any&supervises != 0 && p.Role == Supervisor ||
		any&itself != 0 && entity == p.User ||
		any&inUsers != 0 && p.Users.Has(entity) ||
		any&inQueues != 0 && p.Queues.Has(entity) ||
		any&inLists != 0 && p.Lists.Has(entity) ||
		any&managesUser != 0 && manager && p.Users.Has(entity) ||
		any&managesList != 0 && manager && p.Lists.Has(entity)
}

// MayConnect tells whether the hub takes the principal: platform and admin
// have nothing to hear there (contract, Roles).
func (p *Principal) MayConnect() bool { return p.Role <= Service }

// MayPublish tells whether the principal may publish for the organization: a
// service for its own, platform for any (contract, Roles).
func (p *Principal) MayPublish(org event.GUID) bool {
	return p.Role == Platform || p.Role == Service && p.Org == org
}
