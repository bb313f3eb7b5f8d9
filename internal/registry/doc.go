// Package registry keeps what the platform and its operators have said: rights
// of users, revoked tokens, the directory of users, queues and lists, call lists
// with their agents, and what queues' events say about who belongs to them.
//
// All of it is kept in the store, holds on every node and over restarts. A node
// reads it from the store alone, also what it has written itself, so that all
// nodes apply the same in the same order; whoever says something is answered
// when it holds here. The registry decides nothing: what follows from it is
// said by package auth, and who is connected is told by the hooks in [Options].
package registry
