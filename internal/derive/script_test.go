package derive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
)

var update = flag.Bool("update", false, "write what comes out into the scripts")

// A player plays a script: lines that are given to rules, each followed by
// what comes out, in lines that begin with >. testdata/README.md has the form.
type player struct {
	t       *testing.T
	cat     *event.Catalog
	options derive.Options
	rules   *derive.Rules
	fresh   *derive.Freshness
	out     derive.Output

	sequence uint64
	last     *event.Event // the newest of a line
	now      time.Time
	names    map[event.GUID]string
	text     bytes.Buffer // inputs and outputs
	data     []byte       // payloads of all derived events, one behind the other

	// each, if there is one, is done behind every line.
	each func(p *player)

	// What is in the store, for the next owner.
	log       []*event.Event  // that are no states
	published map[string]bool // ids
	lists     map[event.GUID]func()
	kept      map[event.GUID]derive.Callback
	alerts    map[event.GUID]derive.Alert
	states    map[event.GUID]derive.AlertState
	figures   map[event.GUID]derive.Figures
	newestOf  map[event.Topic]*event.Event // newest states
}

func play(t *testing.T, script []byte, each func(p *player)) *player {
	t.Helper()
	p := &player{
		t: t, cat: event.NewCatalog(), each: each, names: map[event.GUID]string{},
		published: map[string]bool{}, lists: map[event.GUID]func(){},
		kept: map[event.GUID]derive.Callback{}, alerts: map[event.GUID]derive.Alert{}, states: map[event.GUID]derive.AlertState{},
		figures: map[event.GUID]derive.Figures{}, newestOf: map[event.Topic]*event.Event{},
	}
	for n, line := range strings.Split(strings.TrimRight(string(script), "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			continue
		}
		p.text.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			t.Fatalf("line %d, %s: %v", n+1, line, err)
		}
		p.show()
		if p.each != nil && p.rules != nil {
			p.each(p)
		}
	}
	return p
}

// named makes the Guid of a name, and remembers it for the output.
func (p *player) named(name string) event.GUID {
	sum := sha256.Sum256([]byte(name))
	g := event.GUID(sum[:16])
	p.names[g] = "@" + name
	return g
}

var nameForm = regexp.MustCompile(`@[A-Za-z0-9]+`)

func (p *player) line(line string) error {
	line = nameForm.ReplaceAllStringFunc(line, func(s string) string { return p.named(s[1:]).String() })
	verb, rest, _ := strings.Cut(line, " ")
	if p.rules == nil && verb != "set" {
		p.rules = derive.New(p.cat, p.options)
	}
	switch verb {
	case "set":
		return p.set(strings.Fields(rest))
	case "tick":
		at, err := time.Parse(time.RFC3339Nano, rest)
		if step, bad := time.ParseDuration(strings.TrimPrefix(rest, "+")); bad == nil {
			at, err = p.now.Add(step), nil
		}
		p.now = at
		p.rules.Tick(at, &p.out)
		if p.fresh != nil {
			p.staleness(p.fresh.Tick(at, nil))
		}
		return err
	case "event":
		e, err := p.event(rest)
		if err == nil {
			p.give(e)
		}
		return err
	case "list":
		f := strings.Fields(rest)
		var agents []event.GUID
		for _, a := range f[2:] {
			g, err := event.ParseGUID(a)
			if err != nil {
				return err
			}
			agents = append(agents, g)
		}
		id, err := event.ParseGUID(f[0])
		p.lists[id] = func() { p.rules.SetList(p.named("org"), id, f[1] == "auto", agents) }
		p.lists[id]()
		return err
	case "unlist":
		id, err := event.ParseGUID(rest)
		p.rules.UnsetList(p.named("org"), id)
		delete(p.lists, id)
		return err
	case "alert":
		return p.alert(rest)
	case "unalert":
		id, err := event.ParseGUID(rest)
		p.rules.UnsetAlert(p.named("org"), id)
		delete(p.alerts, id)
		return err
	case "figures":
		id, err := event.ParseGUID(rest)
		f, ok := p.rules.Figures(p.named("org"), id)
		if !ok {
			p.text.WriteString("> no figures\n")
			return err
		}
		p.print("today", f.At(p.now, p.zone(), 20*time.Second))
		return err
	case "takeover":
		p.takeOver()
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (p *player) zone() *time.Location {
	if p.options.Zone == nil {
		return time.UTC
	}
	return p.options.Zone(event.GUID{})
}

func (p *player) set(words []string) error {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		var err error
		switch name {
		case "terminal":
			for v := range strings.SplitSeq(value, ",") {
				var n int
				n, err = strconv.Atoi(v)
				p.options.TerminalAttempts = append(p.options.TerminalAttempts, int32(n))
			}
		case "zone":
			var z *time.Location
			z, err = time.LoadLocation(value)
			p.options.Zone = func(event.GUID) *time.Location { return z }
		case "callbacks":
			p.options.MaxCallbacks, err = strconv.Atoi(value)
		case "user-callbacks":
			p.options.UserCallbacks = map[string]derive.Source{"derived": derive.Derived, "producer": derive.Producer}[value]
		case "list-status":
			p.options.ListStatus = map[string]derive.Source{"derived": derive.Derived, "producer": derive.Producer}[value]
		case "nobody":
			p.options.Allowed = func(*derive.Alert) bool { return false }
		case "age":
			name, text, _ := strings.Cut(value, ":")
			var age time.Duration
			age, err = time.ParseDuration(text)
			t, _ := p.cat.Lookup(name)
			p.fresh = derive.NewFreshness(map[event.Kind]time.Duration{t.Kind: age}, 0)
		default:
			err = fmt.Errorf("unknown setting %q", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// event reads: NAME ENTITY [own] [previous=GUID] [time=TIME] DATA.
func (p *player) event(text string) (*event.Event, error) {
	head, data, _ := strings.Cut(text, "{")
	f := strings.Fields(head)
	typ, ok := p.cat.Lookup(f[0])
	if !ok {
		return nil, fmt.Errorf("no event %s", f[0])
	}
	entity, err := event.ParseGUID(f[1])
	if err != nil {
		return nil, err
	}
	p.sequence++
	e := &event.Event{
		Topic:    event.Topic{Org: p.named("org"), Pair: event.Pair{Kind: typ.Kind, Entity: entity}},
		Data:     []byte("{" + data),
		Time:     p.now,
		Stored:   p.now,
		Sequence: p.sequence,
		Cursor:   fmt.Sprintf("c%d", p.sequence),
	}
	if !json.Valid(e.Data) {
		return nil, fmt.Errorf("data is no JSON: %s", e.Data)
	}
	for _, w := range f[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "own":
			e.ID = event.OwnID + "x"
		case "previous":
			e.PreviousAssignedUser, err = event.ParseGUID(value)
		case "time":
			e.Time, err = time.Parse(time.RFC3339Nano, value)
		case "again":
			p.sequence--
			e.Sequence, e.Cursor = p.last.Sequence, p.last.Cursor
		default:
			err = fmt.Errorf("unknown word %s", name)
		}
		if err != nil {
			return nil, err
		}
	}
	p.last = e
	return e, nil
}

func (p *player) give(e *event.Event) {
	if p.cat.Type(e.Kind).Keeps() {
		p.newestOf[e.Topic] = e
	} else if p.last == e {
		p.log = append(p.log, e)
	}
	p.rules.Event(e, &p.out)
	if p.fresh != nil {
		p.staleness(p.fresh.Hear(e, nil))
	}
}

func (p *player) alert(rest string) error {
	f := strings.SplitN(rest, " ", 3)
	c, err := derive.ParseCondition(p.cat, []byte(f[2]))
	if err != nil {
		p.text.WriteString("> refused: " + p.back(err.Error()) + "\n")
		return nil
	}
	a := derive.Alert{Organization: p.named("org"), Condition: *c}
	if a.ID, err = event.ParseGUID(f[0]); err != nil {
		return err
	}
	if a.User, err = event.ParseGUID(f[1]); err != nil {
		return err
	}
	p.alerts[a.ID] = a
	return p.rules.SetAlert(&a, derive.AlertState{}, p.newest(&a), &p.out)
}

func (p *player) newest(a *derive.Alert) *event.Event {
	typ, _ := p.cat.Lookup(a.EventName)
	return p.newestOf[event.Topic{Org: a.Organization, Pair: event.Pair{Kind: typ.Kind, Entity: a.EntityID}}]
}

// takeOver has another owner go on, from what is in the store.
func (p *player) takeOver() {
	p.rules = derive.New(p.cat, p.options)
	for _, k := range p.kept {
		if err := p.rules.RestoreCallback(k); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, f := range p.figures {
		if err := p.rules.RestoreFigures(&f); err != nil {
			p.t.Fatal(err)
		}
	}
	for id, a := range p.alerts {
		if err := p.rules.SetAlert(&a, p.states[id], nil, &p.out); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, set := range p.lists {
		set()
	}
	for _, e := range p.newestOf {
		p.rules.Event(e, &p.out)
	}
	for _, e := range p.log {
		p.rules.Event(e, &p.out)
	}
}

// show prints what came out, and keeps what the owner keeps. RTE's own events
// come back to the rules, as they do from the store.
func (p *player) show() {
	out := p.out
	p.out = derive.Output{}
	for _, s := range out.Alerts {
		p.states[s.ID] = s
		p.print("state of "+p.back(s.ID.String()), s)
	}
	for _, k := range out.Callbacks {
		if k.Record == nil {
			delete(p.kept, k.ID)
			fmt.Fprintf(&p.text, "> forgotten %s of %s\n", p.back(k.ID.String()), p.back(k.List.String()))
			continue
		}
		p.kept[k.ID] = k
	}
	for _, f := range out.Figures {
		p.figures[f.QueueID] = f
	}
	for _, e := range out.Events {
		if p.published[e.ID] {
			continue // the store has it
		}
		p.published[e.ID] = true
		p.data = append(append(p.data, e.Data...), '\n')
		fmt.Fprintf(&p.text, "> %s %s cause=%s %s\n", p.cat.Type(e.Kind).Name, p.back(e.Entity.String()), e.Cause, p.back(string(e.Data)))
		if !e.Own() {
			p.t.Errorf("id %q does not begin with %q", e.ID, event.OwnID)
		}
		p.sequence++
		e.Sequence, e.Cursor, e.Stored = p.sequence, fmt.Sprintf("c%d", p.sequence), p.now
		p.give(&e)
	}
	if len(p.out.Events) > 0 || len(p.out.Alerts) > 0 {
		p.show()
	}
}

func (p *player) staleness(changes []derive.Staleness) {
	for _, c := range changes {
		word := map[bool]string{true: "stale", false: "fresh"}[c.Stale]
		fmt.Fprintf(&p.text, "> %s: %s %s, heard %s\n", word, p.cat.Type(c.Topic.Kind).Name, p.back(c.Topic.Entity.String()), c.Heard.Format(time.TimeOnly))
	}
}

func (p *player) print(what string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	fmt.Fprintf(&p.text, "> %s %s\n", what, p.back(string(text)))
}

// back puts names in the place of Guids.
func (p *player) back(text string) string {
	for g, name := range p.names {
		text = strings.ReplaceAll(text, g.String(), name)
	}
	return text
}

// TestScripts plays every script, straight through, and again with rules that
// are restored from a snapshot behind every line: what comes out is what the
// script says, byte for byte.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d scripts, error %v", len(files), err)
	}
	slices.Sort(files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want, nil)
			if *update {
				if err := os.WriteFile(file, got.text.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				want = got.text.Bytes()
			}
			if d := cmp.Diff(string(want), got.text.String()); d != "" {
				t.Errorf("(-script +played):\n%s", d)
			}
			again := play(t, want, nil)
			if !bytes.Equal(got.data, again.data) {
				t.Error("a second run gave other payloads")
			}
			restored := play(t, want, func(p *player) {
				kept := p.rules.Snapshot(nil)
				p.rules = derive.New(p.cat, p.options)
				if err := p.rules.RestoreSnapshot(kept); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(kept, p.rules.Snapshot(nil)); d != "" {
					t.Errorf("snapshot of restored rules (-before +after):\n%s", d)
				}
			})
			if d := cmp.Diff(string(want), restored.text.String()); d != "" {
				t.Errorf("restored behind every line (-script +played):\n%s", d)
			}
		})
	}
}
