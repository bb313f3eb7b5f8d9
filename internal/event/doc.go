// Package event is the vocabulary of RTE: what an event, a topic and an
// entity are, how their identifiers are spelled, and the catalogue of the
// events that exist.
//
// The catalogue is data ([Catalog], read from catalog.json and, if there is
// one, an overlay): on its way from a door to a client nothing knows an event
// by name. Its rules for names are those of the product's page: event names
// match ignoring case, payload members are camelCase on the wire, members that
// the catalogue does not know are kept. Everything else that describes the
// events is made of it by internal/event/gen; the structs of payloads here are,
// too ([Payload]), for code that makes events or draws conclusions from them.
//
// Nothing in this package does I/O, keeps a clock or starts a goroutine.
//
//go:generate go run ./gen/write
package event
