// Package event is the vocabulary of RTE: what an event, a topic and an
// entity are, how their identifiers are spelled, and the catalogue of the
// events that exist.
//
// The catalogue is data ([Catalog], read from catalog.json): nothing else in
// the program knows an event by name. Its rules for names are those of the
// product's page: event names match ignoring case, payload members are
// camelCase on the wire, members that the catalogue does not know are kept.
//
// Nothing in this package does I/O, keeps a clock or starts a goroutine.
//
//go:generate go run ./gen/write
package event
