// Package limit says when it is enough: how many of something may be held at a
// time ([Count]), and how many may be had per second ([Rate]), on the node, for
// each organization, for each user and for each connection.
//
// It knows nothing of what is counted and imports no other room. It starts no
// goroutine and has no clock of its own. What it remembers of somebody who
// holds nothing and asks for nothing is given back.
package limit
