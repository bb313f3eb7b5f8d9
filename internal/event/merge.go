package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A merger adds the parts of one file to a catalogue.
type merger struct {
	*Catalog
	overlay bool
}

// maxName bounds the length of names; they become subjects, paths and
// identifiers.
const maxName = 64

// goodName: a letter, then letters and digits, so that it can be a word of a
// NATS subject, of a path, and of a programming language.
func goodName(what, name string) error {
	good := name != "" && len(name) <= maxName
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		good = good && (letter || i > 0 && '0' <= r && r <= '9')
	}
	if !good {
		return fmt.Errorf("%q is no name for %s: wanted a letter, then letters and digits, at most %d", name, what, maxName)
	}
	return nil
}

// reserved are names that the documents made of a catalogue use themselves.
var reserved = [...]string{
	"AnyPush", "Answer", "DeveloperToken", "Envelope", "Error", "EventMap", "EventName", "Explanation", "Item", "Notice",
	"Push", "Rejection", "Result", "Subscription",
	// Names of the hub's methods stand beside those of events.
	"MessageReceived", "Subscribe", "Unsubscribe", "UnsubscribeAll", "AvailableSubscriptions", "GetActiveSubscriptions", "EnableNotices",
}

// taken tells whether a name, in any case, is one of a type, an event, an
// enum or something reserved: they share one space in TypeScript and in the
// documents.
func (m *merger) taken(name string) bool {
	same := func(other string) bool { return fold(other) == fold(name) }
	return find(m.Events, name) != nil || find(m.Helpers, name) != nil ||
		slices.ContainsFunc(m.Enums, func(e *Enum) bool { return same(e.Name) }) ||
		slices.ContainsFunc(fieldTypes[:], same) || slices.ContainsFunc(reserved[:], same)
}

func (m *merger) class(text json.RawMessage) (string, error) {
	var f fileClass
	if err := strict(text, &f); err != nil {
		return string(f.Name), err
	}
	if err := goodName("a class", string(f.Name)); err != nil {
		return "", err
	}
	for _, r := range m.Classes {
		if fold(string(r.Class)) == fold(string(f.Name)) {
			return string(f.Name), errors.New("this class is there; its rule cannot be changed")
		}
	}
	h, err := parseHearers(f.Hearers)
	m.Classes = append(m.Classes, ClassRule{Class: f.Name, Summary: f.Summary, Hearers: h})
	return string(f.Name), err
}

func (m *merger) enum(text json.RawMessage) (string, error) {
	var f fileEnum
	if err := strict(text, &f); err != nil {
		return f.Name, err
	}
	if err := goodName("an enum", f.Name); err != nil {
		return "", err
	}
	e := m.findEnum(f.Name)
	switch {
	case e == nil && m.taken(f.Name):
		return f.Name, errors.New("this name is taken by something else")
	case e == nil:
		e = &Enum{Name: f.Name, Closed: f.Closed != nil && *f.Closed, Note: f.Note}
		m.Enums = append(m.Enums, e)
	case !m.overlay:
		return f.Name, errors.New("this enum is there twice")
	case f.Closed != nil && *f.Closed != e.Closed:
		return f.Name, errors.New("closed cannot be changed; a check mode other than enforce lets other values pass")
	}
	if len(f.Values) == 0 {
		return f.Name, errors.New("it has no values")
	}
	for i, text := range f.Values {
		v, err := readValue(text)
		if err == nil && len(e.Values) > 0 && e.Values[0].Number != v.Number {
			err = errors.New("texts and numbers do not mix")
		}
		repeats := m.overlay && slices.Contains(e.Values, v)
		if err == nil && e.Has(v.Value) && !repeats {
			err = fmt.Errorf("%s is there twice", v.Value)
		}
		if err != nil {
			return f.Name, fmt.Errorf("values[%d]: %w", i, err)
		}
		if !e.Has(v.Value) {
			e.Values = append(e.Values, v)
		}
	}
	return f.Name, nil
}

// readValue reads "text" or {"value": 5, "name": …, "meaning": …}.
func readValue(text json.RawMessage) (v EnumValue, err error) {
	if text[0] == '"' {
		err = json.Unmarshal(text, &v.Value)
		return v, err
	}
	var f fileValue
	if err := strict(text, &f); err != nil {
		return v, err
	}
	if n, err := f.Value.Int64(); err != nil || fmt.Sprint(n) != f.Value.String() {
		return v, fmt.Errorf("%q is no whole number", f.Value)
	}
	return EnumValue{Value: f.Value.String(), Number: true, Name: f.Name, Meaning: f.Meaning}, nil
}

func (m *merger) helper(text json.RawMessage) (string, error) {
	var f fileType
	if err := strict(text, &f); err != nil {
		return f.Name, err
	}
	if f.Group != "" || f.Class != "" || f.Semantics != "" || f.Entity != "" || f.EntityNullable != nil ||
		f.Organization != "" || f.Check != nil || f.Promised != nil || f.Example != nil {
		return f.Name, errors.New("a type of a list has no more than name, summary, note and fields")
	}
	t, err := m.typ(&m.Helpers, "a type", &f)
	if err != nil {
		return f.Name, err
	}
	return f.Name, m.fields(t, f.Fields, true)
}

func (m *merger) event(text json.RawMessage) (string, error) {
	var f fileType
	if err := strict(text, &f); err != nil {
		return f.Name, err
	}
	t, err := m.typ(&m.Events, "an event", &f)
	if err == nil {
		err = m.describe(t, &f)
	}
	if err == nil {
		err = m.fields(t, f.Fields, false)
	}
	return f.Name, err
}

// typ finds the type of that name or adds one.
func (m *merger) typ(list *[]*Type, what string, f *fileType) (*Type, error) {
	if err := goodName(what, f.Name); err != nil {
		return nil, err
	}
	t := find(*list, f.Name)
	switch {
	case t != nil && !m.overlay:
		return nil, fmt.Errorf("%s is there twice", what)
	case t != nil && t.Name != f.Name:
		return nil, fmt.Errorf("the catalogue spells it %s", t.Name)
	case t != nil:
		return t, nil
	case m.taken(f.Name):
		return nil, errors.New("this name is taken by something else")
	}
	t = &Type{Name: f.Name, Added: m.overlay, Summary: f.Summary, Note: f.Note}
	*list = append(*list, t)
	return t, nil
}

// describe takes what the file says about an event as a whole.
func (m *merger) describe(t *Type, f *fileType) error {
	if t.Group == "" { // a new one
		t.Group, t.Class, t.Semantics = f.Group, f.Class, f.Semantics
		t.Entity, t.Organization = f.Entity, f.Organization
		t.EntityNullable = f.EntityNullable != nil && *f.EntityNullable
		if err := m.complete(t); err != nil {
			return err
		}
	}
	for _, same := range [...]struct{ name, was, is string }{
		{"group", t.Group, f.Group},
		{"class", string(t.Class), string(f.Class)},
		{"semantics", string(t.Semantics), string(f.Semantics)},
		{"entity", t.Entity, f.Entity},
		{"organization", t.Organization, f.Organization},
		{"summary", t.Summary, f.Summary},
		{"note", t.Note, f.Note},
	} {
		if same.is != "" && same.is != same.was {
			return fmt.Errorf("its %s is %q in the catalogue, which an overlay cannot change", same.name, same.was)
		}
	}
	if f.EntityNullable != nil && *f.EntityNullable != t.EntityNullable {
		return fmt.Errorf("its entityNullable is %t in the catalogue, which an overlay cannot change", t.EntityNullable)
	}
	if f.Check != nil {
		t.Check = *f.Check
	}
	if f.Promised != nil {
		if *f.Promised < 0 || *f.Promised > 0 && !t.Keeps() {
			return fmt.Errorf("promisedSeconds is %d; wanted seconds from 0 on, of a state", *f.Promised)
		}
		t.Promised = time.Duration(*f.Promised) * time.Second
	}
	if f.Example != nil {
		if f.Example[0] != '{' {
			return errors.New("its example is not an object")
		}
		t.Example = f.Example
	}
	return nil
}

// complete says what a new event lacks.
func (m *merger) complete(t *Type) error {
	var classes []string
	for _, r := range m.Classes {
		classes = append(classes, string(r.Class))
	}
	for _, word := range [...]struct {
		name, value string
		good        []string
	}{
		{"group", t.Group, []string{"User", "Queue", "CallList"}},
		{"class", string(t.Class), classes},
		{"semantics", string(t.Semantics), []string{string(State), string(Occurrence), string(ItemChange), string(Notification), string(Command)}},
	} {
		if !slices.Contains(word.good, word.value) {
			return fmt.Errorf("its %s is %q, wanted %s", word.name, word.value, orList(word.good))
		}
	}
	if strings.TrimSpace(t.Summary) == "" {
		return errors.New("it has no summary")
	}
	return nil
}
