package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often progress is told: a bar moves smoothly, lines in a log are few.
const (
	barPause  = 100 * time.Millisecond
	linePause = time.Second
	barWidth  = 24
)

// clearLine goes to the beginning of the terminal's line and empties it.
const clearLine = "\r\x1b[K"

// A progress tells a person how far publish has come: a bar in a terminal,
// else a line now and then. It counts for itself, too.
type progress struct {
	w     io.Writer
	bar   bool
	total int64 // bytes of the input, 0 if not known
	began time.Time
	told  time.Time
	drawn bool // the bar stands in the terminal's last line

	lines              int   // read, blank ones too
	bytes              int64 // read
	accepted, rejected int
}

func newProgress(w io.Writer, bar bool, total int64) *progress {
	now := time.Now()
	return &progress{w: w, bar: bar, total: total, began: now, told: now}
}

// printf writes a line of its own.
func (p *progress) printf(format string, args ...any) {
	p.wipe()
	fmt.Fprintf(p.w, format, args...)
}

// wipe takes the bar away.
func (p *progress) wipe() {
	if p.drawn {
		fmt.Fprint(p.w, clearLine)
		p.drawn = false
	}
}

// tell says how far it is, if that is not too soon after the last time.
func (p *progress) tell() {
	now := time.Now()
	switch {
	case p.bar && now.Sub(p.told) >= barPause:
		fmt.Fprint(p.w, clearLine+p.text(now))
		p.drawn, p.told = true, now
	case !p.bar && now.Sub(p.told) >= linePause:
		fmt.Fprintln(p.w, p.text(now))
		p.told = now
	}
}

// text is the bar, or as much of it as is known.
func (p *progress) text(now time.Time) string {
	var b strings.Builder
	took := now.Sub(p.began).Seconds()
	done := 0.0
	if p.total > 0 {
		done = min(1, float64(p.bytes)/float64(p.total))
		full := int(done * barWidth)
		if p.bar {
			fmt.Fprintf(&b, "[%s%s] ", strings.Repeat("#", full), strings.Repeat(".", barWidth-full))
		}
		fmt.Fprintf(&b, "%3.0f %%, ", 100*done)
	}
	fmt.Fprintf(&b, "%d lines read, %d accepted, %d refused", p.lines, p.accepted, p.rejected)
	if took > 0 {
		fmt.Fprintf(&b, ", %.0f/s", float64(p.accepted+p.rejected)/took)
	}
	if done > 0 && done < 1 && took > 1 {
		fmt.Fprintf(&b, ", %v left", time.Duration((1-done)/done*took*float64(time.Second)).Round(time.Second))
	}
	return b.String()
}

// summary ends it.
func (p *progress) summary(name string) {
	p.printf("%d accepted, %d refused of %d lines of %s in %v\n", p.accepted, p.rejected, p.lines, name, time.Since(p.began).Round(time.Millisecond))
}
