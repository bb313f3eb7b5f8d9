package gen

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"rte/internal/event"
)

// Options are what a node's settings change in its documents; the zero value
// is a node with default settings.
type Options struct {
	BasePath     string // in front of all paths, as /rt; "" for none
	CatalogNames bool   // pushes carry event names in the catalogue's spelling
	Plain        bool   // pushes have no cursor and time
	NoPublish    bool   // the publish API is not where the documents are
	DevTokens    bool   // developers' tokens are given out
}

// asyncAPI is the document without events: the hub, its methods and notices.
//
//go:embed asyncapi.json
var asyncAPI []byte

// AsyncAPI is the hub's document (AsyncAPI 3.0): what it pushes and what can
// be called.
func AsyncAPI(c *event.Catalog, o Options) ([]byte, error) {
	var doc object
	if err := json.Unmarshal(asyncAPI, &doc); err != nil {
		return nil, fmt.Errorf("asyncapi.json: %w", err)
	}
	if o.BasePath != "" {
		doc.set(o.BasePath, "servers", "node", "pathname")
	}
	ref := refTo("#/components/schemas/")
	pushes := []any{}
	for _, t := range c.Events {
		doc.set(push(t, o), "components", "messages", t.Name)
		doc.set(object{{"$ref", "#/components/messages/" + t.Name}}, "channels", "hub", "messages", t.Name)
		pushes = append(pushes, object{{"$ref", "#/channels/hub/messages/" + t.Name}})
		doc.set(schema(t, ref), "components", "schemas", t.Name)
	}
	for _, t := range c.Helpers {
		doc.set(schema(t, ref), "components", "schemas", t.Name)
	}
	doc.set(pushes, "operations", "MessageReceived", "messages")
	return document(doc)
}

// push is the message that pushes an event.
func push(t *event.Type, o Options) object {
	name := t.Key
	if o.CatalogNames {
		name = t.Name
	}
	properties := object{
		{"subscription", object{
			{"type", "object"},
			{"required", []string{"entityId", "eventName"}},
			{"properties", object{
				{"entityId", object{{"description", entityText(t)}, {"type", "string"}}},
				{"eventName", object{{"type", "string"}, {"const", name}}},
			}},
		}},
		{"data", object{{"$ref", "#/components/schemas/" + t.Name}}},
	}
	sent := object{
		{"subscription", object{{"entityId", exampleEntity(t)}, {"eventName", name}}},
		{"data", example(t)},
	}
	if !o.Plain {
		properties = append(properties,
			member{"cursor", object{{"description", "The event's place in the store: opaque text of at most 24 characters."}, {"type", "string"}, {"maxLength", 24}}},
			member{"time", object{{"description", "When it happened, in UTC with milliseconds and Z."}, {"type", "string"}, {"pattern", datePattern}}},
			member{"cause", object{{"description", "The cursor of the event that this one follows from; only where RTE made it."}, {"type", "string"}, {"maxLength", 24}}})
		sent = append(sent, member{"time", "2026-11-23T09:00:00.000Z"})
	}
	return object{
		{"name", t.Name},
		{"title", t.Name},
		{"summary", sentence(t.Summary)},
		{"description", text(sentence(t.Note), "Entity: "+entityText(t), "Heard by: "+hearerText(t.Hearers)+".")},
		{"tags", []any{object{{"name", t.Group}}, object{{"name", string(t.Semantics)}}}},
		{"payload", object{
			{"type", "object"},
			{"required", []string{"subscription", "data"}},
			{"properties", properties},
		}},
		{"examples", []any{object{{"payload", sent}}}},
		{"x-rte", traits(t)},
	}
}

// traits are what the catalogue knows of an event and a schema cannot say.
func traits(t *event.Type) object {
	privacy := object{}
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Helper == nil {
			privacy = append(privacy, member{f.WireName, f.Privacy})
			continue
		}
		items := object{}
		for j := range f.Helper.Fields {
			items = append(items, member{f.Helper.Fields[j].WireName, f.Helper.Fields[j].Privacy})
		}
		privacy = append(privacy, member{f.WireName, items})
	}
	orNull := func(name string) any {
		if f, ok := t.Field(name); ok {
			return f.WireName
		}
		return nil
	}
	return object{
		{"semantics", t.Semantics},
		{"class", t.Class},
		{"hearers", append([]string{}, t.Hearers.Names()...)},
		{"entity", orNull(t.Entity)},
		{"organization", orNull(t.Organization)},
		{"check", t.Check},
		{"privacy", privacy},
	}
}

// entityText says what a client subscribes with.
func entityText(t *event.Type) string {
	what := map[string]string{"User": "the user", "Queue": "the queue", "CallList": "the call list"}[t.Group]
	f, ok := t.Field(t.Entity)
	switch {
	case !ok:
		return what + ", which only the envelope names."
	case t.EntityNullable:
		return what + ", also `" + f.WireName + "` of the payload unless that is null."
	}
	return what + ", also `" + f.WireName + "` of the payload."
}

// exampleEntity is the entity of an event's example.
func exampleEntity(t *event.Type) string {
	if id := exampleID(t, t.Entity); id != "" {
		return id
	}
	switch t.Group { // those of the golden payloads
	case "Queue":
		return "c4b1f0a2-8e4e-eb11-b1ac-00155d4f21a7"
	case "CallList":
		return "d9e2a6b3-9a4e-eb11-b1ac-00155d4f21a7"
	}
	return "6f1c2a40-8d3e-eb11-b1ac-00155d4f21a7"
}

// exampleID is the text of a field in an event's example, "" if it has none.
func exampleID(t *event.Type, field string) (id string) {
	var members map[string]json.RawMessage
	f, ok := t.Field(field)
	if !ok || json.Unmarshal(example(t), &members) != nil || json.Unmarshal(members[f.WireName], &id) != nil {
		return ""
	}
	return id
}
