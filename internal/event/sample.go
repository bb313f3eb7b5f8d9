package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A Member is one member of a payload: its wire name and its value as JSON.
type Member struct {
	Name  string
	Value []byte
}

// Sample is a well-formed payload of the event: every field, with made-up
// values of the right type. Phone numbers are of a range kept for fiction.
func (t *Type) Sample(org, entity GUID) []Member {
	members := make([]Member, len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		members[i] = Member{f.WireName, f.sample(org, entity, f.Name == t.Organization, f.Name == t.Entity)}
	}
	return members
}

func (f *Field) sample(org, entity GUID, isOrg, isEntity bool) []byte {
	quote := func(s string) []byte { return strconv.AppendQuote(nil, s) }
	switch {
	case isOrg:
		return quote(org.String())
	case isEntity:
		return quote(entity.String())
	case f.List:
		return bytes.Join([][]byte{{'['}, JoinMembers(f.Helper.Sample(org, entity)), {']'}}, nil)
	case f.Values != nil && f.Type != "string":
		return []byte(f.Values.Values[max(0, len(f.Values.Values)-2)].Value) // openStatus: Open
	case f.Values != nil:
		return quote(f.Values.Values[0].Value)
	}
	switch f.Type {
	case "Guid":
		// Different for each field, the same each time.
		g := GUID{0xa1, 0xee, 0xb0, 0x30, 0xff, 0x4b, 0x4a, 0x11, 0xac, 0x9c}
		copy(g[10:], f.Name)
		return quote(g.String())
	case "int", "short", "long":
		return []byte(strconv.Itoa(f.Index + 1))
	case "bool":
		return []byte("true")
	case "DateTime":
		if f.Name == "EndTime" {
			return quote("9999-12-31T23:59:59.9999999")
		}
		return quote("2026-11-22T08:00:00Z")
	}
	switch f.Name {
	case "CallerNumber", "TargetNumber", "PhoneNumber", "ContactNumber", "CalledNumber", "UserNumber", "QueueNumber", "TechNumber", "Number", "SMSTo":
		return quote("+3584573999" + fmt.Sprintf("%02d", f.Index))
	case "UserName", "Username", "EmailTo":
		return quote("sample.user@example.com")
	case "LegId":
		return quote("66299cde606b3db6d413cd208f7e5cab@192.0.2.1_br1")
	}
	return quote("sample " + f.WireName)
}

// JoinMembers is the JSON object of the members.
func JoinMembers(members []Member) []byte {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, m.Name)
		b = append(append(b, ':'), m.Value...)
	}
	return append(b, '}')
}

// SetMember changes or adds a member from text, as a command line gives it:
// JSON where the field's type wants JSON, else a string.
func (t *Type) SetMember(members []Member, name, text string) ([]Member, error) {
	wire, value := CamelCase(name), []byte(text)
	f, known := t.Field(name)
	if known {
		wire = f.WireName
	}
	asText := !json.Valid(value)
	if known && !f.List && text != "null" {
		switch f.Type {
		case "string", "Guid", "DateTime":
			asText = true
		}
	}
	if asText {
		var err error
		if value, err = json.Marshal(text); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	for i := range members {
		if members[i].Name == wire {
			members[i].Value = value
			return members, nil
		}
	}
	return append(members, Member{wire, value}), nil
}
