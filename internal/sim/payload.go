package sim

import (
	"encoding/json"
	"time"

	"rte/internal/event"
)

// The payloads, member for member as the catalogue spells them; a test holds
// them against it.

// openEnd is the end of a state without one: .NET's DateTime.MaxValue, which
// never carries a zone (domain report, 2.3).
const openEnd = "9999-12-31T23:59:59.9999999"

// dateTime spells a date as the payloads carry it: UTC with Z.
func dateTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// A nullDate is a date of dateTime's form; the empty one is null on the wire.
// Unlike a pointer it leaves its struct comparable by value.
type nullDate string

func (d nullDate) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(d))
}

type userAvailability struct {
	Availability   string
	EndTime        string
	EventSource    string
	Note           string
	OrganizationID event.GUID `json:"OrganizationId"`
	ProfileID      event.GUID `json:"ProfileId"`
	StartTime      string
	UserID         event.GUID `json:"UserId"`
	UserName       string
}

type userStatus struct {
	ActiveQueues     int
	Available        bool
	CanBeAllocatedTo bool
	OrganizationID   event.GUID `json:"OrganizationId"`
	ParkedCalls      int
	Schedule         bool
	ServiceTerminals int
	Serving          bool
	ServingCallback  bool
	Talking          bool
	UserID           event.GUID `json:"UserId"`
	WrapUpEnd        nullDate
}

type queueAttachedUsers struct {
	AttachedUsers  []attachedUser
	OrganizationID event.GUID `json:"OrganizationId"`
	QueueID        event.GUID `json:"QueueId"`
}

type attachedUser struct {
	Active   bool
	Priority int
	UserID   event.GUID `json:"UserId"`
}

type queueStatus struct {
	MaxWaitTime                int64 // seconds
	NbrOfAgentsCheckedInQueue  int
	NbrOfAgentsImmediatelyFree int
	NbrOfAgentsLongTermAway    int
	NbrOfAgentsOnWrapUp        int
	NbrOfAgentsShortTermAway   int
	NbrOfAllocated             int
	NbrOfConnected             int
	NbrOfNotServedRequesters   int
	NbrOfProviders             int
	NbrOfQueuingRequesters     int
	NbrOfRequesters            int
	NbrOfServingAgentsEstimate int
	OpenStatus                 int
	OrganizationID             event.GUID `json:"OrganizationId"`
	QueueID                    event.GUID `json:"QueueId"`
	QueueName                  string
}

// callMembers are in every call event.
type callMembers struct {
	CallerNumber   string
	CallID         event.GUID `json:"CallId"`
	LegID          string     `json:"LegId"`
	OrganizationID event.GUID `json:"OrganizationId"`
	TargetNumber   string
}

// queueMembers are in every QueueCallIn event.
type queueMembers struct {
	callMembers
	QueueID   event.GUID `json:"QueueId"`
	QueueName string
}

// queueCallEntered is QueueCallInComing and QueueCallInArrived.
type queueCallEntered struct {
	queueMembers
	QueueNumber string
}

type queueCallAllocated struct {
	queueCallEntered
	DetailedReason string
	UserID         event.GUID `json:"UserId"`
	UserName       string
}

type queueCallCancelled struct {
	queueCallAllocated
	Reason string
}

type queueCallConnected struct {
	queueCallEntered
	UserID     event.GUID `json:"UserId"`
	UserName   string
	UserNumber string
}

type queueCallDisconnected struct {
	queueMembers
	Reason     string
	TechReason string
}

// userCallMembers is UserCallInArrived, UserCallOutGoing and
// UserCallOutConnected.
type userCallMembers struct {
	callMembers
	UserID   event.GUID `json:"UserId"`
	UserName string
}

// userCallInComing spells the login name's member the other way (I06 of the
// catalogue's irregularities).
type userCallInComing struct {
	callMembers
	UserID   event.GUID `json:"UserId"`
	Username string
}

type userCallAllocated struct {
	userCallMembers
	DetailedReason string
	UserNumber     string
}

type userCallConnected struct {
	userCallMembers
	UserNumber string
}

type userCallInDisconnected struct {
	userCallInComing
	Reason     string
	TechReason string
}

type userCallOutDisconnected struct {
	userCallMembers
	Reason     string
	TechReason string
}
