package event

import "fmt"

// A Check says what a door does with a payload that is not as the catalogue
// describes its event. The zero value is Enforce.
type Check uint8

// The modes of the check.
const (
	Enforce Check = iota // such a payload is refused
	Warn                 // it goes on, and is counted and logged
	Off                  // it goes on unseen
)

// String is the mode as the catalogue and its overlays spell it.
func (c Check) String() string {
	switch c {
	case Enforce:
		return "enforce"
	case Warn:
		return "warn"
	case Off:
		return "off"
	}
	return fmt.Sprintf("Check(%d)", uint8(c))
}

// MarshalText is String (encoding.TextMarshaler).
func (c Check) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a mode, as String spells it (encoding.TextUnmarshaler).
func (c *Check) UnmarshalText(text []byte) error {
	for _, mode := range [...]Check{Enforce, Warn, Off} {
		if string(text) == mode.String() {
			*c = mode
			return nil
		}
	}
	return fmt.Errorf("%q is no check mode: wanted enforce, warn or off", text)
}
