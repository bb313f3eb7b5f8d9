package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Stores of earlier versions, with cursors that their clients still have. A
// rolling upgrade is only possible while the present program understands them.
// Another is added beside them, never in the place of one, by
//
//	go test ./cmd/rte -run TestGoldenStores -golden-store NAME
//
// with the program that is to be remembered.
var goldenStore = flag.String("golden-store", "", "add a store of this program to testdata, under this name") //nolint:gochecknoglobals // flags of tests are

// goldenRetention is what the stores are kept with, so that nothing expires:
// two hundred years.
const goldenRetention = "1752000h"

// A golden is what is noted beside a store.
type golden struct {
	Pairs map[string]goldenPair // by event, all of the same queue
	// Lines of /api/v1/stream: names and cursors, in its order.
	Lines []heard
}

// A goldenPair is one event of the queue.
type goldenPair struct {
	State  bool
	Join   string  // cursor of who came before anything happened
	Pushes []heard // all that happened
}

// TestGoldenStores starts the present program on each store of testdata. Who
// comes back with a cursor of then hears exactly what was behind it, and what
// happens now; states have their newest value; the stream goes on where it was.
func TestGoldenStores(t *testing.T) {
	t.Parallel()
	if *goldenStore != "" {
		makeGolden(t, filepath.Join("testdata", "store-"+*goldenStore))
	}
	files, err := filepath.Glob("testdata/store-*.tar.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no stores", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			var g golden
			text, err := os.ReadFile(strings.TrimSuffix(file, ".tar.gz") + ".json")
			if err == nil {
				err = json.Unmarshal(text, &g)
			}
			if err != nil || len(g.Pairs) == 0 || len(g.Lines) == 0 {
				t.Fatal("what is noted beside the store: ", err)
			}
			dir := t.TempDir()
			if err := unpack(file, dir); err != nil {
				t.Fatal(err)
			}
			g.check(t, newSite(t, dir, "--retention", goldenRetention))
		})
	}
}

func (g *golden) check(t *testing.T, s *site) {
	t.Helper()
	for i, l := range g.Lines {
		if got := s.lines(t, l.Cursor, len(g.Lines)-i-1); !slices.Equal(got, g.Lines[i+1:]) {
			t.Errorf("stream behind line %d: %v, want %v", i, got, g.Lines[i+1:])
		}
	}
	for event, p := range g.Pairs {
		var all []*returned
		cursors := []string{p.Join}
		for _, h := range p.Pushes {
			cursors = append(cursors, h.Cursor)
		}
		for _, after := range cursors {
			all = append(all, s.comeBack(event, after))
		}
		s.publish(event, "now")
		for i, r := range all {
			var want []string
			for _, h := range p.Pushes[i:] {
				want = append(want, h.Name)
			}
			if p.State && len(want) > 1 {
				want = want[len(want)-1:]
			}
			if !r.recovered {
				t.Errorf("%s: cursor %d, %q, is not recovered", event, i, cursors[i])
				continue
			}
			r.expect(fmt.Sprintf("%s, cursor %d", event, i), append(want, "now")...)
		}
	}
}

// lines are the next n lines of the stream behind a cursor.
func (s *site) lines(t *testing.T, after string, n int) (list []heard) {
	t.Helper()
	if n == 0 {
		return nil
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.public+"/api/v1/stream?after="+url.QueryEscape(after), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	for text := bufio.NewScanner(resp.Body); len(list) < n && text.Scan(); {
		var line struct {
			Subscription *struct{}
			Data         struct{ QueueName string }
			Cursor       string
		}
		if err := json.Unmarshal(text.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Subscription != nil { // no heartbeat
			list = append(list, heard{line.Data.QueueName, line.Cursor})
		}
	}
	return list
}

// makeGolden makes a store and notes what its clients know.
func makeGolden(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path + ".tar.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s.tar.gz is there already: what was promised once is not made anew", path)
	}
	dir := t.TempDir()
	s := newSite(t, dir, "--retention", goldenRetention)
	g := golden{Pairs: map[string]goldenPair{}}
	const each = 5
	for event, state := range map[string]bool{"QueueCallInArrived": false, "QueueCallInDisconnected": false, "QueueStatus": true} {
		r := s.comeBack(event, "")
		p := goldenPair{State: state, Join: r.cursor}
		for n := range each {
			s.publish(event, fmt.Sprint(event, " ", n))
		}
		p.Pushes = r.until(fmt.Sprint(event, " ", each-1))
		g.Pairs[event] = p
	}
	g.Lines = s.lines(t, "", 2*each+1) // of a state only the newest is kept
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.exit(20 * time.Second)
	text, err := json.MarshalIndent(g, "", "\t")
	if err == nil {
		err = os.WriteFile(path+".json", append(text, '\n'), 0o644) //nolint:gosec // it is no secret
	}
	if err == nil {
		err = pack(dir, path+".tar.gz")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// pack makes an archive of a folder.
func pack(dir, file string) error {
	to, err := os.Create(file)
	if err != nil {
		return err
	}
	defer to.Close() //nolint:errcheck // Close of what is above it tells
	packed := gzip.NewWriter(to)
	archive := tar.NewWriter(packed)
	if err := archive.AddFS(os.DirFS(dir)); err != nil {
		return err
	}
	return errors.Join(archive.Close(), packed.Close())
}

// unpack makes a folder of an archive.
func unpack(file, dir string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // only read
	packed, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only names
	for archive := tar.NewReader(packed); ; {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(h.Name), 0o755)
		default:
			var body []byte
			if body, err = io.ReadAll(archive); err == nil {
				err = root.MkdirAll(filepath.Dir(h.Name), 0o755)
			}
			if err == nil {
				err = root.WriteFile(h.Name, body, 0o600)
			}
		}
		if err != nil {
			return err
		}
	}
}
