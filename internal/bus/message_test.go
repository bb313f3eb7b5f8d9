package bus_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/event"
)

func TestTimeText(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{
		time.Unix(0, 0),
		time.Unix(1_763_820_000, 123_456_789),
		time.Unix(1_763_820_000, 5),
		time.Unix(-1, 999_999_999),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.FixedZone("", -12*3600)),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
	} {
		text := bus.FormatTime(want)
		got, err := bus.ParseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("ParseTime(%q) = %v, %v, want %v in UTC", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "1.", ".1", "x.1", "1.x", "1.-1", "1.1000000000", "1.1.1", "2026-11-22T08:00:00Z"} {
		if got, err := bus.ParseTime(text); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", text, got)
		}
	}
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	if a, b := bus.MessageID(orgA, "1"), bus.MessageID(orgA, "1"); a != b {
		t.Errorf("one id, two message ids: %q, %q", a, b)
	}
	seen := map[string]bool{}
	for _, id := range []string{
		bus.MessageID(orgA, "1"), bus.MessageID(orgA, "2"), bus.MessageID(orgB, "1"),
		bus.MessageID(orgA, strings.Repeat("long", 1000)), bus.MessageID(orgA, "a\r\nb"),
		bus.MessageID(orgA, ""), bus.MessageID(orgA, ""),
	} {
		if seen[id] || len(id) != 22 {
			t.Errorf("message id %q: %d characters, seen before: %v", id, len(id), seen[id])
		}
		seen[id] = true
	}
}

func TestReadAck(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, body string
		status     string
		seq        uint64
		duplicate  bool
		wantErr    string
		retry      bool
	}{
		{name: "stored", body: `{"stream":"RTE_EVENT_0","seq":17}`, seq: 17},
		{name: "stored with blanks", body: `{"stream":"RTE_EVENT_0", "seq": 17}`, seq: 17},
		{name: "largest", body: `{"stream":"S","seq":18446744073709551615}`, seq: 1<<64 - 1},
		{name: "duplicate", body: `{"stream":"RTE_STATE_0","seq":3,"duplicate": true}`, seq: 3, duplicate: true},
		{name: "domain", body: `{"stream":"S","domain":"d","seq":4}`, seq: 4},
		{name: "too many", body: `{"error":{"code":429,"err_code":10167,"description":"too many requests"},"stream":"S","seq":0}`, wantErr: "too many requests (10167)", retry: true},
		{name: "resources", body: `{"error":{"code":503,"err_code":10023,"description":"insufficient resources"},"stream":"S","seq":0}`, wantErr: "insufficient resources (10023)", retry: true},
		{name: "first attempt still under way", body: `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"},"stream":"S","seq":0}`, wantErr: "duplicate message id is in process (10158)", retry: true},
		{name: "too large", body: `{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"stream":"S","seq":0}`, wantErr: "message size exceeds maximum allowed (10054)"},
		{name: "nobody there", status: "503", wantErr: "no responders", retry: true},
		{name: "no position", body: `{"stream":"S"}`, wantErr: "without a position", retry: true},
		{name: "not JSON", body: `-ERR`, wantErr: "unreadable", retry: true},
		{name: "empty", wantErr: "unreadable", retry: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := &nats.Msg{Data: []byte(row.body)}
			if row.status != "" {
				m.Header = nats.Header{"Status": {row.status}}
			}
			seq, duplicate, err := bus.ReadAck(m)
			if row.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), row.wantErr) || errors.Is(err, event.ErrUnavailable) != row.retry {
					t.Errorf("ReadAck(%s): error %v, want %q, to be tried again: %v", row.body, err, row.wantErr, row.retry)
				}
				return
			}
			if err != nil || seq != row.seq || duplicate != row.duplicate {
				t.Errorf("ReadAck(%s) = %d, %v, %v, want %d, %v", row.body, seq, duplicate, err, row.seq, row.duplicate)
			}
		})
	}
}

// FuzzReadAck: what the short way takes, JSON reads the same.
func FuzzReadAck(f *testing.F) {
	for _, s := range []string{
		`{"stream":"RTE_EVENT_0","seq":17}`, `{"stream":"S","seq":3,"duplicate": true}`, `{"stream":"S","seq":0}`,
		`{"stream":"S","seq":012}`, `{"stream":"S","seq":99999999999999999999}`, `{"stream":"a\",\"seq\":1","seq":2}`,
		`{"stream":"S","seq":1`, `{"stream":"S","seq":`, `{"error":{"code":503}}`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, duplicate, ok := bus.ReadPlainAck(b)
		if !ok {
			return
		}
		var want struct {
			Seq       uint64 `json:"seq"`
			Duplicate bool   `json:"duplicate"`
		}
		if err := json.Unmarshal(b, &want); err != nil || want.Seq != seq || want.Duplicate != duplicate {
			t.Errorf("%q read as %d, %v; JSON says %+v, %v", b, seq, duplicate, want, err)
		}
	})
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	const partitions, orgs = 8, 8000
	var count [partitions]int
	seed := rand.Uint64()
	start := rand.New(rand.NewPCG(seed, 0)).Uint32()
	for i := range uint32(orgs) {
		// Consecutive Guids in the manner of SQL Server: one tail for all.
		n := start + i
		org := event.GUID{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0xff, 0x4b, 0xea, 0x11, 0xac, 0x9c, 0, 0x15, 0x5d, 0x4f, 0xdc, 0xf3}
		if bus.PartitionOf(org, 1) != 0 {
			t.Fatalf("partition of one is not 0 (seed %d)", seed)
		}
		count[bus.PartitionOf(org, partitions)]++
	}
	for p, n := range count {
		if n < orgs/partitions/2 || n > orgs/partitions*2 {
			t.Errorf("partition %d has %d of %d organizations (seed %d)", p, n, orgs, seed)
		}
	}
}
