package ingest

import "strings"

// An Error says why a text was refused: where, what was found and what is
// allowed. It never repeats a value, nor a member name that the catalogue
// does not know unless the name is a plain word: payloads are personal data.
type Error struct {
	// Path is the place as a JSON path, such as $.attachedUsers[2].priority,
	// with wire names. Inside a member that the catalogue does not know it
	// ends at that member.
	Path string
	// Found and Allowed complete the sentence "found …, wanted …".
	Found   string
	Allowed string
	// Offset is the place in bytes from the start of the text.
	Offset int
	// Kind is the drift that it is, if it is about one value of a field of
	// the payload.
	Kind Kind
	// Unreadable: the text is not JSON (RFC 8259) or not UTF-8. Otherwise
	// it is, and breaks a rule.
	Unreadable bool
}

// Error is the path and the sentence.
func (e *Error) Error() string { return e.Path + ": " + e.Text() }

// Text is the sentence without the path.
func (e *Error) Text() string { return "found " + e.Found + ", wanted " + e.Allowed }

// under puts a step of the path before what is there: errors climb out of
// the text from the inside, and only a refused text pays for the path.
func (e *Error) under(step string) *Error {
	e.Path = step + e.Path
	return e
}

// rooted completes the path of an error that has reached the top.
func (e *Error) rooted() *Error { return e.under("$") }

// unreadable ends a text at offset at.
func unreadable(at int, found, allowed string) *Error {
	return &Error{Found: found, Allowed: allowed, Offset: at, Unreadable: true}
}

// refused is a broken rule at offset at.
func refused(at int, found, allowed string) *Error {
	return &Error{Found: found, Allowed: allowed, Offset: at}
}

// misfit is a value that does not fit its field.
func misfit(k Kind, at int, found, allowed string) *Error {
	return &Error{Found: found, Allowed: allowed, Offset: at, Kind: k}
}

// pathStep is a member name as a step of a path. Names come from outside and
// end up in logs, so only plain words are shown.
func pathStep(name []byte) string {
	const longest = 40
	if len(name) == 0 || len(name) > longest {
		return ".?"
	}
	for i, c := range name {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return ".?"
		}
	}
	return "." + string(name)
}

// closest is the catalogue's name that is at most two typing slips away from
// an unknown one, ignoring ASCII case, or "".
func closest(name string, among []string) string {
	const slips, longest = 2, 64
	if len(name) > longest {
		return ""
	}
	best, at := "", slips+1
	for _, n := range among {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace that turn a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
