package auth

import "rte/internal/event"

// May tells whether the principal may hear the event of the entity, inside its
// own organization: which organization an entity belongs to is not looked at,
// the topic's key settles that. Users go by the rule of the event's class,
// which the catalogue has; what it does not allow is forbidden. A service
// hears everything, platform and admin nothing. Unknown and forbidden entities
// give the same answer.
func (p *Principal) May(t *event.Type, entity event.GUID) bool {
	if t == nil {
		return false
	}
	switch p.Role {
	case Service:
		return true
	case User, GroupManager, Supervisor:
		return p.stands(t.Hearers, entity)
	}
	return false
}

// stands tells whether the principal has any of the relations to the entity.
func (p *Principal) stands(any event.Hearers, entity event.GUID) bool {
	manager := p.Role == GroupManager
	return any&event.Supervisor != 0 && p.Role == Supervisor ||
		any&event.Self != 0 && entity == p.User ||
		any&event.Users != 0 && p.Users.Has(entity) ||
		any&event.Queues != 0 && p.Queues.Has(entity) ||
		any&event.Lists != 0 && p.Lists.Has(entity) ||
		any&event.ManagedUsers != 0 && manager && p.Users.Has(entity) ||
		any&event.ManagedLists != 0 && manager && p.Lists.Has(entity)
}

// MayConnect tells whether the hub takes the principal: platform and admin
// have nothing to hear there (contract, Roles).
func (p *Principal) MayConnect() bool { return p.Role <= Service }

// MayPublish tells whether the principal may publish for the organization: a
// service for its own, platform for any (contract, Roles).
func (p *Principal) MayPublish(org event.GUID) bool {
	return p.Role == Platform || p.Role == Service && p.Org == org
}
