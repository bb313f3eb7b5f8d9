package derive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"rte/internal/event"
)

// A Condition is what an alert waits for: that a field of a status stands so to
// a value. Make it with ParseCondition.
type Condition struct {
	EntityID  event.GUID `json:"entityId"`  // a queue or a callback list
	EventName string     `json:"eventName"` // QueueStatus, CallbackListStatus, …
	Field     string     `json:"field"`     // as the catalogue spells it
	Operator  string     `json:"operator"`  // > >= < <= = !=

	// Value is what the field is compared with: a JSON number, a string, true
	// or false, as the field is.
	Value json.RawMessage `json:"value"`
	// ForSeconds is how long the condition must hold; 0: at all.
	ForSeconds int `json:"forSeconds,omitempty"`
	// ClearValue takes Value's place once the alert has fired: it is armed
	// again when the condition with it is false. Empty: Value.
	ClearValue json.RawMessage `json:"clearValue,omitempty"`
}

// MaxForSeconds bounds how long a condition may have to hold: a day.
const MaxForSeconds = 24 * 60 * 60

// A ConditionError says what is wrong with a condition, in words for whoever
// wrote it; they say what is allowed.
type ConditionError struct {
	Member string // the JSON member, "" for the whole
	Reason string
}

func (e *ConditionError) Error() string {
	if e.Member == "" {
		return e.Reason
	}
	return e.Member + ": " + e.Reason
}

func wrong(member, format string, args ...any) error {
	return &ConditionError{member, fmt.Sprintf(format, args...)}
}

// ParseCondition reads a condition from JSON and holds it against the
// catalogue. Names may be in any case; in the result they are the catalogue's.
// Its errors are ConditionErrors.
func ParseCondition(cat *event.Catalog, text []byte) (*Condition, error) {
	var in struct {
		EntityID   *string         `json:"entityId"`
		EventName  *string         `json:"eventName"`
		Field      *string         `json:"field"`
		Operator   *string         `json:"operator"`
		Value      json.RawMessage `json:"value"`
		ForSeconds *json.Number    `json:"forSeconds"`
		ClearValue json.RawMessage `json:"clearValue"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, unreadable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong("", "wanted one object and nothing behind it")
	}
	for _, m := range []struct {
		name string
		text *string
	}{{"entityId", in.EntityID}, {"eventName", in.EventName}, {"field", in.Field}, {"operator", in.Operator}} {
		if m.text == nil {
			return nil, wrong(m.name, "is missing")
		}
	}
	c := &Condition{Operator: strings.TrimSpace(*in.Operator)}
	var err error
	if c.EntityID, err = event.ParseGUID(*in.EntityID); err != nil {
		return nil, wrong("entityId", "%v", err)
	}
	field, err := c.find(cat, *in.EventName, *in.Field)
	if err != nil {
		return nil, err
	}
	if c.Value, err = literal("value", field, in.Value); err != nil {
		return nil, err
	}
	if len(in.ClearValue) > 0 && string(in.ClearValue) != "null" {
		if c.ClearValue, err = literal("clearValue", field, in.ClearValue); err != nil {
			return nil, err
		}
	}
	if in.ForSeconds != nil {
		n, err := strconv.Atoi(in.ForSeconds.String())
		if err != nil || n < 0 || n > MaxForSeconds {
			return nil, wrong("forSeconds", "wanted a whole number from 0 to %d", MaxForSeconds)
		}
		c.ForSeconds = n
	}
	return c, c.sound(field)
}

// unreadable is the error for text that is no condition's.
func unreadable(err error) error {
	const all = "entityId, eventName, field, operator, value, forSeconds, clearValue"
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return wrong(e.Field, "is a JSON %s, wanted %s", e.Value, map[bool]string{true: "a whole number", false: "a string"}[e.Field == "forSeconds"])
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wrong("", "unknown member %.60s; known are %s", name, all)
	}
	return wrong("", "not a JSON object with the members %s", all)
}

// Alertable are the fields of an event that a condition can be about: none
// unless it is a state of a queue or a callback list.
func Alertable(t *event.Type) []*event.Field {
	var list []*event.Field
	if t.Keeps() && (t.Group == "Queue" || t.Group == "CallList") {
		for i := range t.Fields {
			if f := &t.Fields[i]; !f.List && f.Type != "Guid" {
				list = append(list, f)
			}
		}
	}
	return list
}

// find spells the event's and the field's name as the catalogue does.
func (c *Condition) find(cat *event.Catalog, eventName, name string) (*event.Field, error) {
	t, ok := cat.Lookup(eventName)
	if !ok || len(Alertable(t)) == 0 {
		var names []string
		for _, t := range cat.Events {
			if len(Alertable(t)) > 0 {
				names = append(names, t.Name)
			}
		}
		return nil, wrong("eventName", "alerts are about %s", orList(names))
	}
	c.EventName = t.Name
	fields := Alertable(t)
	names := make([]string, len(fields))
	for i, f := range fields {
		if strings.EqualFold(f.Name, name) {
			c.Field = f.Name
			return f, nil
		}
		names[i] = f.Name
	}
	return nil, wrong("field", "%s has %s", t.Name, orList(names))
}

// sound checks that the parts of a condition fit one another.
func (c *Condition) sound(f *event.Field) error {
	allowed := operators[:]
	if !ordered(f) {
		allowed = operators[4:]
	}
	if !slices.Contains(allowed, c.Operator) {
		return wrong("operator", "wanted one of %s for %s", strings.Join(allowed, " "), f.Name)
	}
	if c.ClearValue == nil {
		return nil
	}
	order, _ := compare(f, c.ClearValue, c.Value)
	switch {
	case !strings.ContainsAny(c.Operator, "<>"):
		return wrong("clearValue", "goes with > >= < <= only")
	case c.Operator[0] == '>' && order > 0:
		return wrong("clearValue", "wanted at most the value, %s, for %s", c.Value, c.Operator)
	case c.Operator[0] == '<' && order < 0:
		return wrong("clearValue", "wanted at least the value, %s, for %s", c.Value, c.Operator)
	}
	return nil
}

// literal is a value that a field can be compared with, in the field's form: a
// number or a truth value may be written as a string.
func literal(member string, f *event.Field, text json.RawMessage) (json.RawMessage, error) {
	plain := string(bytes.TrimSpace(text))
	if s := unquote([]byte(plain)); s != "" || plain == `""` {
		plain = s
	} else if f.Type == "string" || plain == "" || plain == "null" {
		return nil, wrong(member, "wanted %s for %s", form(f), f.Name)
	}
	switch f.Type {
	case "string":
		if len(plain) > 256 {
			return nil, wrong(member, "wanted at most 256 bytes")
		}
	case "bool":
		if plain != "true" && plain != "false" {
			return nil, wrong(member, "wanted true or false for %s", f.Name)
		}
		return json.RawMessage(plain), nil
	case "DateTime":
		if _, ok := event.ParseDateTime([]byte(plain)); !ok {
			return nil, wrong(member, "wanted a date and time like 2026-11-22T08:00:00Z for %s", f.Name)
		}
	default:
		if len(plain) > 32 || !json.Valid([]byte(plain)) || !strings.ContainsRune("-0123456789", rune(plain[0])) {
			return nil, wrong(member, "wanted a number for %s", f.Name)
		}
		if _, err := strconv.ParseFloat(plain, 64); err != nil {
			return nil, wrong(member, "wanted a number for %s that is not too large", f.Name)
		}
	}
	if f.Values != nil && f.Values.Closed && !f.Values.Has(plain) {
		return nil, wrong(member, "%s is one of %s", f.Name, f.Values)
	}
	if ordered(f) && f.Type != "DateTime" {
		return json.RawMessage(plain), nil
	}
	return json.Marshal(plain)
}

func form(f *event.Field) string {
	switch f.Type {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "DateTime":
		return "a date and time in a string"
	}
	return "a number"
}

// orList joins words for an error text: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
