// Package admin is the HTTP API by which the platform and its operators say
// what package registry keeps, and see and end connections: /admin/v1/… of the
// admin listener.
//
// It checks who asks and what is asked, and answers in JSON; an error says what
// to do. On a loopback listener everybody on the machine is an operator.
// Anywhere else a request needs a token of the role admin, or a client
// certificate of the authority that the settings name. Every act is logged with
// who did it and about whom, never with what was said.
package admin
