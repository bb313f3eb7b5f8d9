// Package ingest is the door: nothing unchecked gets in.
//
// [Check] verifies one payload against its event type and writes it in wire
// form (camelCase members, values untouched, no white space between tokens)
// in one pass over its bytes. [ReadEnvelope] reads one publish envelope into
// an event. [HTTP] is POST /api/v1/events: one envelope, an array or an
// NDJSON stream in, a verdict per item out, after the store has them. [NATS] is
// the same for events that come one by one, as messages.
//
// Where the rules come from: the product's page by way of the catalogue;
// architecture.md §6, "payload keys" and "check"; contract.md, publish
// envelope and answers; RFC 8259 for the text.
//
// Two kinds of fault are told apart everywhere. A text that is not JSON ends
// a request, because nothing after the fault can be trusted
// ([Error.Unreadable]). An item that breaks a rule is refused alone.
//
// What the door decides where the sources leave it open:
//
//   - A member that the catalogue does not know keeps its value as sent but
//     for white space between tokens, so that wire form never holds a raw
//     line break. Members inside such a value are not looked at.
//   - A string escape that is half of a surrogate pair is refused: the text
//     is JSON, but has no UTF-8 form, and a .NET client throws on it.
//   - A member name that needs an escape is written in its shortest form.
//   - An empty id is no id. A traceparent that is not one is ignored, as W3C
//     Trace Context asks.
//   - Nesting in data ends at 61 levels: a stock client stops reading at 64,
//     and a push puts three around data.
//   - The size of data is counted in wire form, as stored and pushed.
package ingest
