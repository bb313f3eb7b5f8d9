package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// fileSchema names the form of catalogue files.
const fileSchema = "rte-catalogue/1"

// A file is a catalogue, or an overlay, as it is written. Parts are read one
// by one, so that an error can name the one that it is about.
type file struct {
	Schema  string            `json:"schema"`
	About   string            `json:"about,omitempty"`
	Classes []json.RawMessage `json:"classes,omitempty"`
	Enums   []json.RawMessage `json:"enums,omitempty"`
	Types   []json.RawMessage `json:"types,omitempty"`
	Events  []json.RawMessage `json:"events,omitempty"`
}

type fileClass struct {
	Name    Class    `json:"name"`
	Summary string   `json:"summary,omitempty"`
	Hearers []string `json:"hearers"`
}

type fileEnum struct {
	Name   string            `json:"name"`
	Closed *bool             `json:"closed,omitempty"` // left out: open, or as it was
	Values []json.RawMessage `json:"values"`           // "text", or a fileValue
	Note   string            `json:"note,omitempty"`
}

type fileValue struct {
	Value   json.Number `json:"value"`
	Name    string      `json:"name,omitempty"`
	Meaning string      `json:"meaning,omitempty"`
}

type fileType struct {
	Name           string            `json:"name"`
	Group          string            `json:"group,omitempty"`
	Class          Class             `json:"class,omitempty"`
	Semantics      Semantics         `json:"semantics,omitempty"`
	Summary        string            `json:"summary,omitempty"`
	Note           string            `json:"note,omitempty"`
	Entity         string            `json:"entity,omitempty"`
	EntityNullable *bool             `json:"entityNullable,omitempty"`
	Organization   string            `json:"organization,omitempty"`
	Check          *Check            `json:"check,omitempty"`           // left out: enforce, or as it was
	Promised       *int32            `json:"promisedSeconds,omitempty"` // left out: nothing, or as it was
	Fields         []json.RawMessage `json:"fields,omitempty"`
	Example        json.RawMessage   `json:"example,omitempty"`
}

type fileField struct {
	Name      string   `json:"name"`
	WireName  string   `json:"wireName,omitempty"` // left out: by CamelCase
	Type      string   `json:"type"`
	List      bool     `json:"list,omitempty"`
	Nullable  bool     `json:"nullable,omitempty"`
	MayBeNull *bool    `json:"mayBeNull,omitempty"` // left out: true of strings and lists
	Enum      string   `json:"enum,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Privacy   *Privacy `json:"privacy,omitempty"` // left out: content
	Summary   string   `json:"summary,omitempty"`
	Note      string   `json:"note,omitempty"`
}

// readFile reads the outermost level.
func readFile(text []byte) (*file, error) {
	f := &file{}
	if err := strict(text, f); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			before := text[:min(int(e.Offset), len(text))]
			return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(before, []byte("\n")), err)
		}
		return nil, err
	}
	if f.Schema != fileSchema {
		return nil, fmt.Errorf("schema is %q, wanted %q", f.Schema, fileSchema)
	}
	return f, nil
}

// strict decodes one JSON object and refuses members that to does not have,
// members that are there twice, and anything behind the object.
func strict(text []byte, to any) error {
	if !json.Valid(text) {
		return json.Unmarshal(text, new(any)) // says where
	}
	if trimmed := bytes.TrimSpace(text); trimmed[0] != '{' {
		return fmt.Errorf("wanted an object, got %.20s", trimmed)
	}
	if err := onceEach(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a JSON %s, wanted %s", e.Field, e.Value, jsonKind(e.Type.Kind().String()))
	}
	if err != nil {
		return errors.New(strings.Replace(strings.TrimPrefix(err.Error(), "json: "), "unknown field", "unknown member", 1))
	}
	return nil
}

// jsonKind is what JSON calls a kind of Go.
func jsonKind(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "slice":
		return "an array"
	case "struct":
		return "an object"
	case "int32":
		return "a whole number"
	case "uint8":
		return "one of its words, in quotes"
	}
	return "a string"
}

// onceEach refuses an object with two members of one name. encoding/json
// takes names in any case, so case does not count. The text is good JSON.
func onceEach(object []byte) error {
	seen := map[string]bool{}
	depth, start := 0, 0
	inText := false
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			if inText = !inText; inText {
				start = i
			}
		case inText:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		case c == ':' && depth == 1:
			var name string // of the string that ended last
			if err := json.Unmarshal(bytes.TrimSpace(object[start:i]), &name); err != nil {
				return err
			}
			if seen[fold(name)] {
				return fmt.Errorf("member %q is there twice", name)
			}
			seen[fold(name)] = true
		}
	}
	return nil
}
