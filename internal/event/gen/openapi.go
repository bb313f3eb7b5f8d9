package gen

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"rte/internal/event"
)

// openAPI is the document without events: every path that a node answers
// besides the hub and the pages.
//
//go:embed openapi.json
var openAPI []byte

// tokenPath is there only for developers, eventsPath not always.
const (
	tokenPath  = "/token/{userId}/rte/"
	eventsPath = "/api/v1/events"
)

// OpenAPI is the document of the HTTP API (OpenAPI 3.1).
func OpenAPI(c *event.Catalog, o Options) ([]byte, error) {
	var doc object
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	if o.BasePath != "" {
		doc.set([]any{object{{"url", o.BasePath}}}, "servers")
	}
	if !o.DevTokens {
		doc.remove("paths", tokenPath)
		doc.remove("components", "schemas", "DeveloperToken")
	}
	if o.NoPublish {
		doc.remove("paths", eventsPath)
		for _, name := range []string{"Envelope", "Answer", "Rejection", "Guid"} {
			if name != "Guid" || !o.DevTokens {
				doc.remove("components", "schemas", name)
			}
		}
		doc.remove("components", "securitySchemes")
		return document(doc)
	}
	ref := refTo("#/components/schemas/")
	var payloads []any
	for _, t := range c.Events {
		doc.set(schema(t, ref), "components", "schemas", t.Name)
		payloads = append(payloads, ref(t))
		doc.set(object{{"summary", sentence(t.Summary)}, {"value", envelope(t)}},
			"paths", eventsPath, "post", "requestBody", "content", "application/json", "examples", t.Name)
	}
	for _, t := range c.Helpers {
		doc.set(schema(t, ref), "components", "schemas", t.Name)
	}
	doc.set(payloads, "components", "schemas", "Envelope", "properties", "data", "anyOf")
	return document(doc)
}

// envelope publishes an event's example.
func envelope(t *event.Type) object {
	return object{
		{"organizationId", exampleOrganization(t)},
		{"entityId", exampleEntity(t)},
		{"eventName", t.Name},
		{"data", example(t)},
	}
}

// exampleOrganization is the organization of an event's example.
func exampleOrganization(t *event.Type) string {
	if id := exampleID(t, t.Organization); id != "" {
		return id
	}
	return "5e0b1c52-3a7d-4f0e-9a51-2f6d1c8e7b10"
}
