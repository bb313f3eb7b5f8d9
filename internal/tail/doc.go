// Package tail lets back-end programs read everything that is stored of an
// organization, as lines over HTTP that go on for as long as they like, and come
// back where they were.
//
// A reader is not pushed to: what it gets is read from the store when it has
// taken what came before. So a slow one costs nothing and delays nobody, and
// each line's cursor is exact: behind it nothing is missing, up to it nothing
// comes again.
package tail
