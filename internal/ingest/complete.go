package ingest

import "strconv"

// complete checks what only the whole envelope shows: that nothing is
// missing, that data is good where it came before the event's name, its
// size, and that envelope and payload agree. start is where the envelope
// began.
func (v *envelope) complete(start, maxEventBytes int) *Error {
	switch {
	case !v.had[inOrganization]:
		return missing(start, "the organization's Guid").under(envelopePaths[inOrganization])
	case !v.had[inEvent]:
		return missing(start, "the event's name").under(envelopePaths[inEvent])
	case !v.had[inData]:
		return missing(start, "the event's payload, an object").under(envelopePaths[inData])
	}
	if v.later > 0 {
		end := v.at
		v.at = v.later
		if e := v.data(); e != nil {
			return e.under(envelopePaths[inData])
		}
		v.at = end
	}
	if len(v.out) > maxEventBytes {
		return refused(start, strconv.Itoa(len(v.out))+" bytes", "at most "+strconv.Itoa(maxEventBytes)+
			" (--max-event-bytes)").under(envelopePaths[inData])
	}
	if v.found.HasOrg && v.found.Org != v.event.Org {
		return refused(start, "another organization than organizationId of the envelope", "the same in both").
			under(v.payloadPath(v.typ.Organization))
	}
	return v.entity(start)
}

// entity settles who the event is about.
func (v *envelope) entity(start int) *Error {
	switch {
	case v.had[inEntity] && v.found.HasEntity && v.found.Entity != v.event.Entity:
		return refused(start, "another entity than entityId of the envelope", "the same in both").
			under(v.payloadPath(v.typ.Entity))
	case v.found.HasEntity:
		v.event.Entity = v.found.Entity
	case !v.had[inEntity] && v.typ.Entity == "":
		return missing(start, "the entity's Guid: the payload of this event does not name it").
			under(envelopePaths[inEntity])
	case !v.had[inEntity]:
		f, _ := v.typ.Field(v.typ.Entity)
		return missing(start, "the entity's Guid, here or as "+f.WireName+" in data").under(envelopePaths[inEntity])
	}
	return nil
}

// payloadPath is a field of the event's payload as a path inside the
// envelope.
func (v *envelope) payloadPath(field string) string {
	f, _ := v.typ.Field(field)
	return envelopePaths[inData] + "." + f.WireName
}

func missing(at int, wanted string) *Error { return refused(at, "nothing", wanted) }
