package event

import (
	"unicode"
	"unicode/utf8"
)

// CamelCase turns a member name into its wire form by the rule of
// System.Text.Json's camelCase policy: leading capitals become small, but the
// last capital of a run stays when a small letter follows it. CBRId becomes
// cbrId, SMSTo smsTo, RUser rUser, ProfileId profileId.
func CamelCase(name string) string {
	if r, _ := utf8.DecodeRuneInString(name); !unicode.IsUpper(r) {
		return name
	}
	runes := []rune(name)
	for i, r := range runes {
		if i == 1 && !unicode.IsUpper(r) {
			break
		}
		if i > 0 && i+1 < len(runes) && !unicode.IsUpper(runes[i+1]) {
			// The policy stops before a word; a blank ends the run behind it.
			if runes[i+1] == ' ' {
				runes[i] = unicode.ToLower(r)
			}
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}
