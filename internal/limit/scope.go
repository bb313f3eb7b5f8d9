package limit

// An ID is a Guid. It is an alias, so that other rooms' Guids fit.
type ID = [16]byte

// Who wants something. A zero Org or User, or an empty Conn, is nobody: the
// bounds of that scope do not hold then.
type Who struct {
	Org, User ID     // users of two organizations are two, also with one Guid
	Conn      string // the connection's id
}

// A Scope is whose bound it is.
type Scope uint8

// The scopes, from the widest to the narrowest. None is the answer that there
// is room.
const (
	None Scope = iota
	Node
	Org
	User
	Conn
	scopes
)

// String is the scope as metrics name it.
func (s Scope) String() string {
	return [...]string{"none", "node", "organization", "user", "connection"}[min(s, Conn)]
}

// Refusals counts what was refused since the start, by the scope whose bound
// it was.
type Refusals [scopes]uint64

// userKey is a user of an organization.
type userKey struct{ org, user ID }
