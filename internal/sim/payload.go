package sim

import "rte/internal/event"

// The payloads of a call's events, in the types that are made of the
// catalogue. Events that carry the same have types of the same members, so
// one converts to the other.

// entered is QueueCallInComing, and as another type QueueCallInArrived.
func (k *call) entered() event.QueueCallInComing {
	return event.QueueCallInComing{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, QueueID: k.queue.id,
		QueueName: k.queue.name, QueueNumber: k.queue.number, TargetNumber: k.target,
	}
}

func (k *call) allocated() event.QueueCallInUserAllocated {
	return event.QueueCallInUserAllocated{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, QueueID: k.queue.id,
		QueueName: k.queue.name, QueueNumber: k.queue.number, TargetNumber: k.target, UserID: k.agent.id, UserName: k.agent.name,
	}
}

func (k *call) cancelled() event.QueueCallInUserCancelled {
	return event.QueueCallInUserCancelled{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, QueueID: k.queue.id,
		QueueName: k.queue.name, QueueNumber: k.queue.number, Reason: event.QueueCancelReasonLocal, TargetNumber: k.target,
		UserID: k.agent.id, UserName: k.agent.name,
	}
}

func (k *call) connected() event.QueueCallInUserConnected {
	return event.QueueCallInUserConnected{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, QueueID: k.queue.id,
		QueueName: k.queue.name, QueueNumber: k.queue.number, TargetNumber: k.target, UserID: k.agent.id, UserName: k.agent.name,
		UserNumber: k.agent.number,
	}
}

func (k *call) ended(reason string) event.QueueCallInDisconnected {
	return event.QueueCallInDisconnected{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, QueueID: k.queue.id,
		QueueName: k.queue.name, Reason: reason, TargetNumber: k.target,
	}
}

// userEntered spells the login name's member otherwise than the events after
// it (I06 of the catalogue's irregularities).
func (k *call) userEntered() event.UserCallInComing {
	return event.UserCallInComing{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, TargetNumber: k.target,
		UserID: k.agent.id, Username: k.agent.name,
	}
}

// user is UserCallInArrived, and as other types UserCallOutGoing and
// UserCallOutConnected.
func (k *call) user() event.UserCallInArrived {
	return event.UserCallInArrived{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, TargetNumber: k.target,
		UserID: k.agent.id, UserName: k.agent.name,
	}
}

func (k *call) userAllocated() event.UserCallInUserAllocated {
	return event.UserCallInUserAllocated{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, TargetNumber: k.target,
		UserID: k.agent.id, UserName: k.agent.name, UserNumber: k.agent.number,
	}
}

func (k *call) userConnected() event.UserCallInUserConnected {
	return event.UserCallInUserConnected{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, TargetNumber: k.target,
		UserID: k.agent.id, UserName: k.agent.name, UserNumber: k.agent.number,
	}
}

func (k *call) userEnded(reason string) event.UserCallInDisconnected {
	return event.UserCallInDisconnected{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, Reason: reason, TargetNumber: k.target,
		UserID: k.agent.id, Username: k.agent.name,
	}
}

func (k *call) dialEnded(reason string) event.UserCallOutDisconnected {
	return event.UserCallOutDisconnected{
		CallerNumber: k.caller, CallID: k.id, LegID: k.leg, OrganizationID: k.c.org, Reason: reason, TargetNumber: k.target,
		UserID: k.agent.id, UserName: k.agent.name,
	}
}
