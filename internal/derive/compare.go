package derive

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"rte/internal/event"
)

// operators are those of numbers and dates; other values know the last two.
var operators = [...]string{">", ">=", "<", "<=", "=", "!="}

// ordered tells whether one value of a field can be more than another.
func ordered(f *event.Field) bool { return f.Type != "string" && f.Type != "bool" }

// compare sets two values of a field against each other; false if one of them
// is none.
func compare(f *event.Field, a, b []byte) (order int, ok bool) {
	switch f.Type {
	case "string":
		return strings.Compare(unquote(a), unquote(b)), a[0] == '"' && b[0] == '"'
	case "bool":
		return bytes.Compare(a, b), true
	case "DateTime":
		x, y := date(a), date(b)
		return cmp.Compare(x, y), x != never && y != never
	}
	x, err1 := strconv.ParseInt(string(a), 10, 64)
	y, err2 := strconv.ParseInt(string(b), 10, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y), true
	}
	v, err1 := strconv.ParseFloat(string(a), 64)
	w, err2 := strconv.ParseFloat(string(b), 64)
	return cmp.Compare(v, w), err1 == nil && err2 == nil
}

// holds tells whether a value stands to another as an operator says.
func holds(f *event.Field, value []byte, operator string, with []byte) bool {
	order, ok := compare(f, value, with)
	if !ok {
		return false
	}
	switch operator {
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case "=":
		return order == 0
	}
	return order != 0
}

// plain is a JSON value as a text without quotes.
func plain(value []byte) string {
	if len(value) > 0 && value[0] == '"' {
		return unquote(value)
	}
	return string(value)
}
