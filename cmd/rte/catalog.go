package main

import (
	"fmt"

	"rte/internal/event"
	"rte/internal/event/gen"
	"rte/internal/node"
)

// overlayFlag is there on every verb that knows events.
type overlayFlag struct {
	CatalogOverlay string `aliases:"overlay" type:"path" placeholder:"FILE" help:"Overlay of the catalogue: further events and fields, as the node has it (JSON; see docs/operations.md)."`
}

func (o *overlayFlag) catalog() (*event.Catalog, error) { return node.ReadCatalog(o.CatalogOverlay) }

type catalogCmd struct {
	overlayFlag `embed:""`

	Format string   `default:"table" enum:"table,json,jsonschema,asyncapi,openapi,typescript,markdown" help:"table, json (the catalogue itself), jsonschema (of data; with one --event that event's schema), asyncapi, openapi, typescript or markdown."`
	Event  []string `placeholder:"EVENT" help:"Only this event; may be repeated. A table of one event lists its fields."`
}

// Run prints the catalogue.
func (c *catalogCmd) Run(s streams) error {
	cat, err := c.catalog()
	if err != nil {
		return usage(err)
	}
	if len(c.Event) > 0 {
		var events []*event.Type
		for _, name := range c.Event {
			t, ok := cat.Lookup(name)
			if !ok {
				return usage(fmt.Errorf("--event %s: no such event; rte catalog lists them", name))
			}
			events = append(events, t)
		}
		cat = cat.Only(events...)
	}
	text, err := gen.Print(cat, c.Format)
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}
