package signalr_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
)

// records feeds pieces to a fresh reader and returns the records as text.
func records(t *testing.T, max int, pieces ...[]byte) (list []string, r *signalr.Reader, err error) {
	t.Helper()
	r = &signalr.Reader{}
	for _, p := range pieces {
		before := bytes.Clone(p)
		err = r.Feed(signalr.JSON{}, max, p, func(record []byte) error {
			list = append(list, string(record))
			return nil
		})
		if !bytes.Equal(before, p) {
			t.Fatalf("Feed changed its piece: %q, was %q", p, before)
		}
		if r.Pending() > max || r.Held() > max {
			t.Fatalf("after a piece of %d bytes the reader holds %d bytes in %d, want at most %d", len(p), r.Pending(), r.Held(), max)
		}
		if err != nil {
			break
		}
	}
	return list, r, err
}

func TestReaderEverySplit(t *testing.T) {
	t.Parallel()
	stream := []byte("{\"a\":1}\x1e\x1e{}\x1e" + strings.Repeat("x", 30) + "\x1eлол\x1etail")
	want := []string{`{"a":1}`, "", "{}", strings.Repeat("x", 30), "лол"}
	check := func(name string, pieces ...[]byte) {
		t.Helper()
		got, r, err := records(t, 40, pieces...)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if r.Pending() != len("tail") {
			t.Fatalf("%s: %d bytes pending, want 4", name, r.Pending())
		}
	}
	check("in one piece", stream)
	for i := range stream {
		check(fmt.Sprintf("cut at %d", i), stream[:i], stream[i:])
		for j := i; j < len(stream); j++ {
			check(fmt.Sprintf("cut at %d and %d", i, j), stream[:i], stream[i:j], stream[j:])
		}
	}
	var single [][]byte
	for i := range stream {
		single = append(single, stream[i:i+1])
	}
	check("byte by byte", single...)
}

func TestReaderLimit(t *testing.T) {
	t.Parallel()
	const max = 64
	fits := strings.Repeat("x", max-1) + "\x1e"
	tests := []struct {
		name   string
		stream string
		want   int // records before the error
		ok     bool
	}{
		{"exactly max", fits, 1, true},
		{"exactly max, twice", fits + fits, 2, true},
		{"one more", "x" + fits, 0, false},
		{"one more behind a good one", fits + "x" + fits, 1, false},
		{"max bytes and no end yet", strings.Repeat("x", max), 0, false},
		{"one less and no end yet", strings.Repeat("x", max-1), 0, true},
		{"a long piece of small records", strings.Repeat("12345\x1e", 1000), 1000, true},
		{"small records behind half a one", "123" + strings.Repeat("45\x1e123", 1000), 1000, true},
		{"endless", strings.Repeat("x", 100*max), 0, false},
		{"endless behind a good one", fits + strings.Repeat("x", 100*max), 1, false},
	}
	for _, test := range tests {
		for _, step := range []int{1, 2, 3, 7, max - 1, max, max + 1, 3 * max, len(test.stream)} {
			t.Run(fmt.Sprintf("%s/%d", test.name, step), func(t *testing.T) {
				t.Parallel()
				var pieces [][]byte
				for s := []byte(test.stream); len(s) > 0; s = s[min(step, len(s)):] {
					pieces = append(pieces, s[:min(step, len(s))])
				}
				got, _, err := records(t, max, pieces...)
				if len(got) != test.want || (err == nil) != test.ok {
					t.Fatalf("got %d records, %v, want %d, ok=%t", len(got), err, test.want, test.ok)
				}
				if err != nil && !errors.Is(err, signalr.ErrTooLarge) {
					t.Fatalf("got %v, want %v", err, signalr.ErrTooLarge)
				}
			})
		}
	}
}

// Random streams in random cuts against splitting the whole at once.
func TestReaderRandomCuts(t *testing.T) {
	t.Parallel()
	for range 200 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		var want []string
		var stream []byte
		longest := 1
		for range rnd.IntN(20) {
			record := strings.Repeat("r", rnd.IntN(1+rnd.IntN(300)))
			want = append(want, record)
			stream = append(append(stream, record...), 0x1e)
			longest = max(longest, len(record)+1)
		}
		pending := rnd.IntN(longest)
		stream = append(stream, strings.Repeat("t", pending)...)
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(700)))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, r, err := records(t, longest, pieces...)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || r.Pending() != pending {
			t.Fatalf("seed %d: %v, %d bytes pending, want %d (-want +got):\n%s", seed, err, r.Pending(), pending, diff)
		}
	}
}

// A large piece behind half a record must not be copied as a whole: the reader
// would hold as much as a peer can send at once. Not parallel: it reads the
// allocator's own count.
func TestReaderDoesNotCopyLargePieces(t *testing.T) {
	large := bytes.Repeat([]byte("12345678901234567890123456789\x1e"), 100_000) // 3 MB
	r := &signalr.Reader{}
	nothing := func([]byte) error { return nil }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, piece := range [][]byte{[]byte("half "), large} {
		if err := r.Feed(signalr.JSON{}, 1024, piece, nothing); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("a piece of %d bytes behind 5 held ones allocates %d bytes, want little more than the largest message of 1024", len(large), n)
	}
}

func TestReaderStopsAtError(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	for _, cut := range []int{0, 1, 3} {
		r := &signalr.Reader{}
		seen := 0
		feed := func(p []byte) error {
			return r.Feed(signalr.JSON{}, 100, p, func([]byte) error {
				if seen++; seen == 2 {
					return stop
				}
				return nil
			})
		}
		stream := []byte("a\x1eb\x1ec\x1e")
		err := feed(stream[:cut])
		if err == nil {
			err = feed(stream[cut:])
		}
		if !errors.Is(err, stop) || seen != 2 {
			t.Errorf("cut at %d: got %v after %d records, want %v after 2", cut, err, seen, stop)
		}
	}
}

// A message that comes in many small pieces must not be looked at again from
// its beginning for each of them.
func TestReaderScansOnce(t *testing.T) {
	t.Parallel()
	p := &countingProtocol{}
	r := &signalr.Reader{}
	for range 10_000 {
		if err := r.Feed(p, 1<<20, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if p.looked > 20_000 {
		t.Errorf("10000 pieces of a byte made Split look at %d bytes, want each once", p.looked)
	}
}

type countingProtocol struct {
	signalr.JSON
	looked int
}

func (p *countingProtocol) Split(buf []byte, scanned int) ([]byte, int, error) {
	p.looked += len(buf) - scanned
	return p.JSON.Split(buf, scanned)
}

type brokenProtocol struct{ signalr.JSON }

var errBroken = errors.New("broken")

func (brokenProtocol) Split([]byte, int) ([]byte, int, error) { return nil, 0, errBroken }

func TestReaderReportsSplitErrors(t *testing.T) {
	t.Parallel()
	r := &signalr.Reader{}
	if err := r.Feed(brokenProtocol{}, 100, []byte("x"), nil); !errors.Is(err, errBroken) {
		t.Errorf("Feed = %v, want %v", err, errBroken)
	}
}
