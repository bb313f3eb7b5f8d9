package event

import "fmt"

// Privacy says how close a value is to a person. Logs, traces, recordings
// and consoles mask by it. The zero value is the one that is masked most.
type Privacy uint8

// The classes of personal data, from the closest on.
const (
	Content  Privacy = iota // what somebody said or wrote, and everything unknown
	Contact                 // names, numbers, addresses: reaches or names a person
	Identity                // stands for a person, a call or a case, and names nobody by itself
	Public                  // says nothing of one person, or nothing without one of the others
)

var privacyNames = [...]string{"content", "contact", "id", "none"}

// String is the class as the catalogue spells it.
func (p Privacy) String() string {
	if int(p) < len(privacyNames) {
		return privacyNames[p]
	}
	return fmt.Sprintf("Privacy(%d)", uint8(p))
}

// MarshalText is String (encoding.TextMarshaler).
func (p Privacy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a class, as String spells it
// (encoding.TextUnmarshaler).
func (p *Privacy) UnmarshalText(text []byte) error {
	for i, name := range privacyNames {
		if string(text) == name {
			*p = Privacy(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no class of personal data: wanted none, id, contact or content", text)
}
