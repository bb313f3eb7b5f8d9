// Package gen makes every other description of the events out of the
// catalogue: JSON Schema, the AsyncAPI and OpenAPI documents, TypeScript and
// Go types, the page docs/events.md, and the baseline that tells whether a
// change breaks somebody.
//
// It computes them from any catalogue, so that a node with an overlay serves
// documents that have what the overlay adds. What the built-in catalogue gives
// is committed, too (Files); the program in the folder write keeps it so.
package gen
