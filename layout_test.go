// Package rte_test holds the house to its plan: which room may know which.
package rte_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the module's path; everything below it is one of our rooms.
const module = "rte"

// A room is one package of this module: where it stands, and what it may
// know. An import that is not here needs a line here, with its reason, and a
// line in docs/architecture.md.
type room struct {
	floor   int               // arrows point down: every import of a room stands lower
	imports map[string]string // room: reason
	libs    map[string]string // library: reason; the standard library is open to all
}

// house is every room there is. The floors are those of docs/architecture.md;
// the public wing (signalr…, producer) has floors of its own.
func house() map[string]room {
	return map[string]room{
		// The public wing: of use without the house, so it imports nothing of it.
		"signalr": {floor: 1, libs: map[string]string{
			"github.com/vmihailenco/msgpack/v5": "Go values that an application hands over, in MessagePack",
		}},
		"signalr/transport": {floor: 1, libs: map[string]string{
			"github.com/gobwas/ws": "the WebSocket upgrade and the names of frames",
		}},
		"signalr/signalrtest": {floor: 1},
		"signalr/hub": {floor: 2, imports: map[string]string{
			"signalr":           "messages, frames and their encodings",
			"signalr/transport": "it is the receiver of a transport's connections",
		}},
		"signalr/client": {floor: 2, imports: map[string]string{
			"signalr": "messages and their encodings",
		}, libs: map[string]string{
			"github.com/gobwas/ws": "the WebSocket's client side",
		}},

		// Served to Microsoft's clients by the tests in conformance/.
		"conformance/hub": {floor: 6, imports: map[string]string{
			"signalr":           "results and pushes are values and frames",
			"signalr/hub":       "it serves hubs for tests",
			"signalr/transport": "each on a path of its own",
		}},
		"producer": {floor: 1},

		"internal/event": {floor: 1},
		"internal/event/gen": {floor: 2, imports: map[string]string{
			"internal/event": "it describes the catalogue's events",
		}},
		"internal/event/gen/write": {floor: 3, imports: map[string]string{
			"internal/event":     "the built-in catalogue",
			"internal/event/gen": "makes the files that it writes",
		}},
		"internal/limit": {floor: 1},
		"internal/ops": {floor: 1, libs: map[string]string{
			"github.com/prometheus/client_golang": "the text form of metrics, the process's own figures",
		}},

		// Floor 2: none of these knows another.
		"internal/auth": {floor: 2, imports: map[string]string{
			"internal/event": "rights are about organizations, entities and events",
		}, libs: map[string]string{
			"github.com/golang-jwt/jwt/v5": "signatures of tokens",
			"github.com/MicahParks/jwkset": "keys in the form that issuers publish",
		}},
		"internal/bus": {floor: 2, imports: map[string]string{
			"internal/event": "it stores and carries events",
		}, libs: map[string]string{
			"github.com/nats-io/nats-server/v2": "the store, in this process",
			"github.com/nats-io/nats.go":        "the way to it",
			"github.com/nats-io/nkeys":          "producers' keys at the NATS door",
			"golang.org/x/crypto":               "producers' password hashes, as NATS has them",
			"gopkg.in/yaml.v3":                  "the file of producers",
		}},
		"internal/derive": {floor: 2, imports: map[string]string{
			"internal/event": "what follows from events is events",
		}},
		"internal/ingest": {floor: 2, imports: map[string]string{
			"internal/event": "it checks events against the catalogue",
		}},
		"internal/bench": {floor: 2, imports: map[string]string{
			"internal/event": "Guids of entities",
			"producer":       "it publishes",
			"signalr":        "reads what comes",
			"signalr/client": "it is many clients",
		}},
		"internal/sim": {floor: 2, imports: map[string]string{
			"internal/event": "Guids, and the names of what it plays",
		}},

		"internal/journal": {floor: 2, imports: map[string]string{
			"internal/event": "topics and events",
		}},
		"internal/journal/journaltest": {floor: 3, imports: map[string]string{
			"internal/event":   "topics and events",
			"internal/journal": "it is a journal's store",
		}},
		"internal/fanout": {floor: 3, imports: map[string]string{
			"internal/event":   "topics and events",
			"internal/limit":   "bounds, and whose they are",
			"internal/journal": "what a client that comes has missed",
			"signalr":          "an event becomes one frame",
		}},
		"internal/registry": {floor: 3, imports: map[string]string{
			"internal/auth":  "rights, revocations and the directory are its words",
			"internal/bus":   "keeps them for all nodes, and brings queues' events",
			"internal/event": "ids, and the event that says who is attached to a queue",
		}},
		"internal/admin": {floor: 4, imports: map[string]string{
			"internal/auth":     "who an operator is; what can be said of users",
			"internal/bus":      "connections are on all nodes",
			"internal/event":    "ids and dates",
			"internal/registry": "keeps what is said",
		}},
		"internal/tail": {floor: 4, imports: map[string]string{
			"internal/event": "what it reads",
			"internal/bus":   "where it is read, and the places in it",
		}},
		"internal/owner": {floor: 3, imports: map[string]string{
			"internal/derive": "the rules that it runs",
			"internal/event":  "what goes in and comes out",
		}},
		"internal/session": {floor: 4, imports: map[string]string{
			"internal/auth":   "whose the client is, and what it may hear",
			"internal/event":  "names and Guids of items",
			"internal/fanout": "a subscription is a place in the index",
			"signalr":         "results are values that write themselves",
			"signalr/hub":     "methods and connections",
		}},
		"internal/node": {floor: 5, imports: map[string]string{
			"internal/admin":     "made and joined here",
			"internal/registry":  "made and joined here",
			"internal/auth":      "made and joined here",
			"internal/bus":       "made and joined here",
			"internal/derive":    "settings of the rules, conditions of alerts",
			"internal/event":     "the one catalogue",
			"internal/event/gen": "serves the documents that are made of it",
			"internal/fanout":    "made and joined here",
			"internal/ingest":    "made and joined here",
			"internal/journal":   "the bus as the journal wants it",
			"internal/limit":     "made and joined here",
			"internal/ops":       "made and joined here",
			"internal/owner":     "made and joined here",
			"internal/session":   "made and joined here",
			"internal/tail":      "made and joined here",
			"signalr/hub":        "made and joined here",
			"signalr/transport":  "made and joined here",
		}},
		"cmd/rte": {floor: 6, imports: map[string]string{
			"internal/auth":      "the verb token signs and explains; demo and serve --ephemeral give tokens out",
			"internal/bench":     "the verb bench loads and checks a node",
			"internal/event":     "the verb publish makes samples; ids on the command line are Guids",
			"internal/event/gen": "the verb catalog prints what is made of the catalogue",
			"internal/node":      "the verbs serve and demo run one",
			"internal/sim":       "the verb demo plays a contact centre",
			"producer":           "the verb publish is one",
			"signalr":            "the verb listen decodes what it hears",
			"signalr/client":     "the verb listen is a client",
		}, libs: map[string]string{
			"github.com/alecthomas/kong": "the command line",
			"gopkg.in/yaml.v3":           "settings from a file",
		}},
	}
}

// testLibs are open to the tests of every room, and to nothing else.
func testLibs() []string { return []string{"github.com/google/go-cmp", "go.uber.org/goleak"} }

// longFiles may have more than 300 lines; each says why. Nothing may have more
// than 400.
func longFiles() map[string]string { return map[string]string{} }

const (
	fileLines    = 300
	fileLinesMax = 400
)

// A source is one Go file of the module.
type source struct {
	room      string // folder of the package
	file      string
	test      bool
	generated bool
	lines     int
	imports   []string
}

// TestRoomsKnowOnlyWhatTheTableSays compares every import, under every build
// tag, with the table.
func TestRoomsKnowOnlyWhatTheTableSays(t *testing.T) {
	t.Parallel()
	rooms := house()
	used := map[string]bool{} // lines of the table, as "room import"
	for _, s := range sources(t) {
		if _, known := rooms[s.room]; !known {
			t.Errorf("%s: the room %s is not in the table of layout_test.go: add it, with its floor and its reasons, and to docs/architecture.md", s.file, s.room)
			continue
		}
		for _, imported := range s.imports {
			line, why := imported, ""
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
				line, why = ours, mayImport(rooms, s, ours)
			} else if strings.Contains(strings.Split(imported, "/")[0], ".") {
				line, why = mayUse(rooms, s, imported)
			}
			if why != "" {
				t.Errorf("%s: %s", s.file, why)
			}
			if !s.test {
				used[s.room+" "+line] = true
			}
		}
	}
	for name, r := range rooms {
		for _, line := range slices.AppendSeq(slices.Collect(maps.Keys(r.imports)), maps.Keys(r.libs)) {
			if !used[name+" "+line] {
				t.Errorf("the table lets %s import %s, and it does not: take the line out", name, line)
			}
		}
	}
}

// mayImport says what is wrong with an import of one of our rooms, "" if
// nothing is.
func mayImport(rooms map[string]room, s source, ours string) string {
	r := rooms[s.room]
	_, listed := r.imports[ours]
	public := isPublic(ours)
	switch {
	case isPublic(s.room) && !public:
		return s.room + " imports " + ours + ": the public wing imports nothing of the house"
	case s.test && (ours == s.room || public || r.floor >= 5 || strings.HasSuffix(ours, "test")):
		return "" // tests may be clients, and use what is for tests; those of a whole node may know everything
	case !listed:
		return s.room + " imports " + ours + ": a new arrow needs a line and a reason in the table of layout_test.go and in docs/architecture.md"
	case public == isPublic(s.room) && rooms[ours].floor >= r.floor:
		return s.room + " imports " + ours + ": arrows point down, and rooms of one floor do not know one another"
	}
	return ""
}

// mayUse says which line of the table opens a library to a file, and what is
// wrong if none does. Tests may use what any room uses.
func mayUse(rooms map[string]room, s source, imported string) (line, why string) {
	libs := slices.Collect(maps.Keys(rooms[s.room].libs))
	if s.test {
		libs = testLibs()
		for _, r := range rooms {
			libs = slices.AppendSeq(libs, maps.Keys(r.libs))
		}
	}
	for _, lib := range libs {
		if imported == lib || strings.HasPrefix(imported, lib+"/") {
			return lib, ""
		}
	}
	return imported, s.room + " imports " + imported + ": a new library needs a line and a reason in the table of layout_test.go"
}

func isPublic(room string) bool {
	return room == "signalr" || strings.HasPrefix(room, "signalr/") || room == "producer"
}

// TestTableIsSound checks the table itself: rooms that exist, arrows to rooms
// that exist, and nobody but node and the command knowing many.
func TestTableIsSound(t *testing.T) {
	t.Parallel()
	const many = 4
	docs, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	built := map[string]bool{}
	for _, s := range sources(t) {
		built[s.room] = built[s.room] || !s.test
	}
	rooms := house()
	for name, r := range rooms {
		if !built[name] {
			t.Errorf("the table has a room %s that is not there", name)
		}
		if !bytes.Contains(docs, []byte("`"+path.Base(name)+"`")) && !bytes.Contains(docs, []byte("`"+name+"`")) {
			t.Errorf("docs/architecture.md does not name the room `%s`", name)
		}
		inside := 0
		for imported, reason := range r.imports {
			if _, ok := rooms[imported]; !ok || reason == "" {
				t.Errorf("%s imports %s: want a room of the table and a reason, got reason %q", name, imported, reason)
			}
			if strings.HasPrefix(imported, "internal/") {
				inside++
			}
		}
		if inside > many && r.floor < 5 {
			t.Errorf("%s knows %d rooms of the house, want at most %d: only node and cmd/rte know more", name, inside, many)
		}
	}
}

// generated is the line that marks code nobody reads or edits
// (go.dev/s/generatedcode).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// TestFilesAreShort holds the sizes that keep a room readable.
func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	long := longFiles()
	for _, s := range sources(t) {
		if s.test || s.generated {
			continue
		}
		_, excused := long[s.file]
		switch {
		case s.lines > fileLinesMax:
			t.Errorf("%s has %d lines, want at most %d in any case", s.file, s.lines, fileLinesMax)
		case s.lines > fileLines && !excused:
			t.Errorf("%s has %d lines, want at most %d; split it by what it is about", s.file, s.lines, fileLines)
		case s.lines <= fileLines && excused:
			t.Errorf("%s has %d lines: it needs no excuse any more", s.file, s.lines)
		}
	}
}

// sources reads every Go file of this module. Folders with a go.mod of their
// own are other modules.
func sources(t *testing.T) []source {
	t.Helper()
	root := os.DirFS(".")
	var list []source
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, file)
		case !strings.HasSuffix(file, ".go") || path.Dir(file) == "." && strings.HasSuffix(file, "_test.go"):
			return nil // the root is no room: this test lives there
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{room: path.Dir(file), file: file, test: strings.HasSuffix(file, "_test.go"), generated: generated.Match(text), lines: bytes.Count(text, []byte("\n"))}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no Go file found: this test must run in the module's root")
	}
	return list
}

// enter says whether a folder is part of the module.
func enter(root fs.FS, folder string) error {
	name := path.Base(folder)
	if folder == "." {
		return nil
	}
	if name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
