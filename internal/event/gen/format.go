package gen

import (
	"fmt"

	"rte/internal/event"
)

// Formats are the names of the formats that Print knows.
func Formats() []string {
	return []string{"table", "json", "jsonschema", "asyncapi", "openapi", "typescript", "markdown"}
}

// Print writes a catalogue in one of the formats.
func Print(c *event.Catalog, format string) ([]byte, error) {
	switch format {
	case "table":
		return Table(c)
	case "json":
		return document(c)
	case "jsonschema":
		if len(c.Events) == 1 {
			return JSONSchema(c.Events[0])
		}
		return JSONSchemas(c)
	case "asyncapi":
		return AsyncAPI(c, Options{})
	case "openapi":
		return OpenAPI(c, Options{})
	case "typescript":
		return TypeScript(c)
	case "markdown":
		return Markdown(c)
	}
	return nil, fmt.Errorf("no format is called %q", format)
}

// Places of committed files, from the root of the repository.
const (
	SchemasFolder = "docs/api/schemas"
	BaselineFile  = "internal/event/testdata/baseline.txt"
)

// Files is everything that is committed, by its place from the root of the
// repository.
func Files(c *event.Catalog) (map[string][]byte, error) {
	files := map[string][]byte{BaselineFile: Baseline(c)}
	for name, make := range map[string]func() ([]byte, error){
		"internal/event/payload_gen.go":   func() ([]byte, error) { return Go(c) },
		"da-client-lib/src/events.gen.ts": func() ([]byte, error) { return TypeScript(c) },
		"docs/events.md":                  func() ([]byte, error) { return Markdown(c) },
		"docs/api/asyncapi.json":          func() ([]byte, error) { return AsyncAPI(c, Options{}) },
		"docs/api/openapi.json":           func() ([]byte, error) { return OpenAPI(c, Options{}) },
	} {
		text, err := make()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = text
	}
	for _, t := range c.Events {
		text, err := JSONSchema(t)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", t.Name, err)
		}
		files[SchemasFolder+"/"+t.Name+".json"] = text
	}
	return files, nil
}
