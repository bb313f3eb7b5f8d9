package producer

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// An Event is something that happened. Organization, Name and Data are
// required; ids are Guids as text.
type Event struct {
	Organization string
	// Entity is who or what it is about: a user, a queue or a call list. ""
	// where the payload names it.
	Entity string
	// Name is the event's, in any case.
	Name string
	// Data is the payload: anything that encoding/json makes an object of, or
	// a json.RawMessage. Members may be spelled UserId or userId.
	Data any

	// ID is the producer's own id of the event, unique within the
	// organization, at most 200 bytes. "" gets a random one, by which Publish's
	// own repetitions double nothing; those of a program that was restarted
	// need an id that it can make again.
	ID string
	// Time is when it happened; zero means when the node took it.
	Time time.Time
	// PreviousAssignedUser is who a callback belonged to before, or "".
	PreviousAssignedUser string
	// Traceparent is a W3C trace context, or "".
	Traceparent string
}

// Line is the event as one line of JSON: a publish envelope.
func (e *Event) Line() ([]byte, error) {
	id := e.ID
	if id == "" {
		id = randomID()
	}
	line, err := json.Marshal(envelope{
		Organization: e.Organization, Entity: e.Entity, Name: e.Name, Data: e.Data, ID: id, Time: e.Time,
		PreviousAssignedUser: e.PreviousAssignedUser, Traceparent: e.Traceparent,
	})
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.Name, err)
	}
	return line, nil
}

// envelope has the members of a publish envelope; the node reads an event
// best when its name comes before its data.
type envelope struct {
	Organization         string    `json:"organizationId"`
	Entity               string    `json:"entityId,omitempty"`
	Name                 string    `json:"eventName"`
	ID                   string    `json:"id,omitempty"`
	Time                 time.Time `json:"time,omitzero"`
	PreviousAssignedUser string    `json:"previousAssignedUserId,omitempty"`
	Traceparent          string    `json:"traceparent,omitempty"`
	Data                 any       `json:"data"`
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
