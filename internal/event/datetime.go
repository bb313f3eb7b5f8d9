package event

import "time"

// ParseDateTime reads a moment in the ISO 8601 forms that System.Text.Json
// takes for a DateTime and that JavaScript's Date takes too: a date; or date,
// T, hours and minutes, then if wanted seconds with up to 9 digits of fraction
// (.NET has 7, other languages write 9), then nothing, Z, or an offset of
// hours and minutes up to 14:00. A moment without a zone is UTC (I42 of the
// catalogue). It must lie in .NET's years 1 to 9999, also in UTC.
//
// The result is in UTC. What the doors let in by this, fan-out must be able to
// send as a timestamp, so both of them read it here.
func ParseDateTime(b []byte) (t time.Time, ok bool) {
	year, month, day, ok := date(b)
	if !ok || len(b) == 10 {
		return moment(year, month, day, 0, 0, ok)
	}
	if len(b) < 16 || b[10] != 'T' || b[13] != ':' || !below(b[11:], 24) || !below(b[14:], 60) {
		return time.Time{}, false
	}
	rest, second, nanos, ok := seconds(b[16:])
	if !ok {
		return time.Time{}, false
	}
	offset, ok := zone(rest)
	minutes := 60*two(b[11:]) + two(b[14:]) - offset
	switch {
	case year == 1 && month == 1 && day == 1:
		ok = ok && minutes >= 0
	case year == 9999 && month == 12 && day == 31:
		ok = ok && minutes < 24*60
	}
	return moment(year, month, day, 60*minutes+second, nanos, ok)
}

// moment is the day, and seconds before or after its beginning.
func moment(year, month, day, seconds, nanos int, ok bool) (time.Time, bool) {
	if !ok {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, 0, 0, seconds, nanos, time.UTC), true
}

// date reads the first ten bytes.
func date(b []byte) (year, month, day int, ok bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' || two(b) < 0 || two(b[2:]) < 0 {
		return 0, 0, 0, false
	}
	year, month, day = 100*two(b)+two(b[2:]), two(b[5:]), two(b[8:])
	ok = year >= 1 && 1 <= month && month <= 12 && 1 <= day && day <= daysIn(year, month)
	return year, month, day, ok
}

// seconds reads what may follow hours and minutes and returns what is left.
func seconds(b []byte) (rest []byte, second, nanos int, ok bool) {
	if len(b) == 0 || b[0] != ':' {
		return b, 0, 0, true
	}
	if len(b) < 3 || !below(b[1:], 60) {
		return nil, 0, 0, false
	}
	second, b = two(b[1:]), b[3:]
	if len(b) == 0 || b[0] != '.' {
		return b, second, 0, true
	}
	n, unit := 1, 1_000_000_000
	for n < len(b) && n <= 9 && '0' <= b[n] && b[n] <= '9' {
		nanos = 10*nanos + int(b[n]-'0')
		unit /= 10
		n++
	}
	return b[n:], second, nanos * unit, n >= 2
}

// zone reads all of b, nothing, Z or an offset, and returns the minutes that
// local time is ahead of UTC.
func zone(b []byte) (offset int, ok bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' || !below(b[1:], 15) || !below(b[4:], 60) {
		return 0, false
	}
	offset = 60*two(b[1:]) + two(b[4:])
	if b[0] == '-' {
		return -offset, offset <= 14*60
	}
	return offset, offset <= 14*60
}

// two reads two digits; below 0 if they are none.
func two(b []byte) int {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return 10*int(tens) + int(ones)
}

// below reports whether two digits stand for a number under limit.
func below(b []byte, limit int) bool {
	n := two(b)
	return n >= 0 && n < limit
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}
