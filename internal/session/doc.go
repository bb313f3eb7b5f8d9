// Package session is one client as the hub sees it: a principal, its
// subscriptions, and the hub methods that the product's page documents.
//
// The methods, their results and their order of checks are fixed by the
// page; what it leaves open is decided in docs/architecture.md. Names match
// ignoring case and Guids in any spelling, on every method alike.
package session
