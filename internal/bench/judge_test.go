package bench_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rte/internal/bench"
)

// A story is a history in short: "i" and "s" are the pairs (of items, of a
// state), "A" and "B" the clients.
//
//	i+3    three more events of pair i are sent and accepted
//	i?2    two more are sent, and nobody knows whether they are stored
//	Ai1    client A hears event 1 of pair i
//	Ai!    client A is told that it may have missed some
//	A-, A+ client A loses its connection, and comes back
//	A#     client A is pushed what nobody has sent
func story(t *testing.T, text string) *bench.Judge {
	t.Helper()
	j := bench.NewJudge()
	for _, r := range records(t, text) {
		if err := j.Take(r); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func records(t *testing.T, text string) []bench.Record {
	t.Helper()
	list := []bench.Record{
		{Kind: bench.PairNamed, Pair: 0, Entity: "e", Event: "item"},
		{Kind: bench.PairNamed, Pair: 1, Entity: "e", Event: "state", State: true},
	}
	for client := range 2 {
		list = append(list, bench.Record{Kind: bench.Connected, Client: client},
			bench.Record{Kind: bench.Subscribed, Client: client, Pair: 0}, bench.Record{Kind: bench.Subscribed, Client: client, Pair: 1})
	}
	sent := [2]uint64{}
	for word := range strings.FieldsSeq(text) {
		client, pair, rest := int(word[0]-'A'), strings.IndexByte("is", word[0]), word[1:]
		if pair >= 0 {
			sent[pair] += number(t, rest[1:])
			list = append(list, bench.Record{Kind: bench.Sent, Pair: pair, N: sent[pair]})
			if rest[0] == '+' {
				list = append(list, bench.Record{Kind: bench.Accepted, Pair: pair, N: sent[pair]})
			}
			continue
		}
		switch rest {
		case "+":
			list = append(list, bench.Record{Kind: bench.Connected, Client: client})
			continue
		case "-":
			list = append(list, bench.Record{Kind: bench.Lost, Client: client})
			continue
		case "#":
			list = append(list, bench.Record{Kind: bench.Noise, Client: client, Text: "something"})
			continue
		}
		pair = strings.IndexByte("is", rest[0])
		if rest[1:] == "!" {
			list = append(list, bench.Record{Kind: bench.Unrecovered, Client: client, Pair: pair})
			continue
		}
		list = append(list, bench.Record{Kind: bench.Heard, Client: client, Pair: pair, N: number(t, rest[1:])})
	}
	return list
}

func number(t *testing.T, text string) (n uint64) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%q is no number", text)
	}
	return n
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, story string
		want        bench.Verdict
		wrong       string
	}{
		{"nothing", "", bench.Verdict{}, ""},
		{"all heard", "i+2 Ai1 Bi1 Ai2 Bi2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 4}, ""},
		{"back with what was missed", "i+1 Ai1 Bi1 A- i+2 Bi2 Bi3 A+ Ai2 Ai3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 6, Reconnect: 1}, ""},
		{"one missing", "i+3 Ai1 Ai3 Bi1 Bi2 Bi3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 5, Lost: 1}, "client 0 missed event 2 of e:item"},
		{"several missing", "i+5 Ai5 Bi1 Bi2 Bi3 Bi4 Bi5", bench.Verdict{Sent: 5, Accepted: 5, Heard: 6, Lost: 4}, "client 0 missed events 1 to 4 of e:item"},
		{"the last missing", "i+2 Ai1 Bi1 Bi2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 3, Lost: 1}, "client 0 never heard event 2 of e:item"},
		{"all missing", "i+2 Bi1 Bi2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 2, Lost: 2}, "client 0 never heard events 1 to 2 of e:item"},
		{"one twice", "i+2 Ai1 Ai2 Ai2 Bi1 Bi2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 5, Doubled: 1}, "client 0 heard event 2 of e:item again, behind 2"},
		{"an old one twice", "i+2 Ai1 Ai2 Ai1 Bi1 Bi2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 5, Doubled: 1}, "client 0 heard event 1 of e:item again, behind 2"},
		{"too late", "i+3 Ai1 Ai3 Ai2 Bi1 Bi2 Bi3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 6, Disordered: 1}, "client 0 missed event 2 of e:item\nclient 0 heard event 2 of e:item behind 3"},
		{"told", "i+3 Ai1 Ai! Ai3 Bi1 Bi2 Bi3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 5, Unrecovered: 1}, "client 0 was told that it may have missed events of e:item behind 1"},
		{"told, and nothing came", "i+3 Ai1 Ai! Bi1 Bi2 Bi3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 4, Unrecovered: 1}, "client 0 was told that it may have missed events of e:item behind 1"},
		{"told once is not twice", "i+5 Ai1 Ai! Ai3 Ai5 Bi1 Bi2 Bi3 Bi4 Bi5", bench.Verdict{Sent: 5, Accepted: 5, Heard: 8, Unrecovered: 1, Lost: 1}, "client 0 was told that it may have missed events of e:item behind 1"},
		{"noise", "A#", bench.Verdict{Noise: 1}, "client 0 was pushed what nobody has sent: something"},
		{"not sent yet", "i+1 Ai2 Ai1 Bi1", bench.Verdict{Sent: 1, Accepted: 1, Heard: 3, Noise: 1}, "client 0 heard event 2 of e:item, of which 1 were sent"},
		{"sent, not accepted, heard", "i?1 Ai1", bench.Verdict{Sent: 1, Heard: 1}, ""},
		{"newest state only", "s+3 As3 Bs1 Bs3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 3, Skipped: 3}, ""},
		{"a newer state that was not accepted", "s+1 s?1 As2 Bs2", bench.Verdict{Sent: 2, Accepted: 1, Heard: 2, Skipped: 2}, ""},
		{"state backwards", "s+3 As3 As2 Bs3", bench.Verdict{Sent: 3, Accepted: 3, Heard: 3, Skipped: 4, Disordered: 1}, "client 0 heard event 2 of e:state behind 3"},
		{"state twice", "s+1 As1 As1 Bs1", bench.Verdict{Sent: 1, Accepted: 1, Heard: 3, Doubled: 1}, "client 0 heard event 1 of e:state again, behind 1"},
		{"old state at the end", "s+2 As1 Bs2", bench.Verdict{Sent: 2, Accepted: 2, Heard: 2, Skipped: 1, Lost: 1}, "client 0 has value 1 of e:state, the last is 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := story(t, row.story)
			got := j.Verdict()
			row.want.Clients, row.want.Pairs, row.want.Hearings = 2, 2, 4
			if d := cmp.Diff(row.want, got, cmpopts.IgnoreFields(bench.Verdict{}, "Wrong")); d != "" {
				t.Errorf("verdict (-want +got):\n%s", d)
			}
			if text := strings.Join(got.Wrong, "\n"); (row.wrong == "") != (text == "") || !strings.HasPrefix(text, row.wrong) {
				t.Errorf("wrong: %q, want %q", text, row.wrong)
			}
			if got.Good() != (row.wrong == "") {
				t.Errorf("good: %v", got.Good())
			}
			if again := j.Verdict(); cmp.Diff(got, again) != "" {
				t.Errorf("the second verdict differs: %s", cmp.Diff(got, again))
			}
			// What was written is judged alike.
			var file bytes.Buffer
			e := json.NewEncoder(&file)
			for _, r := range records(t, row.story) {
				if err := e.Encode(r); err != nil {
					t.Fatal(err)
				}
			}
			if again, err := bench.Replay(&file); err != nil || cmp.Diff(got, again) != "" {
				t.Errorf("replayed: %v %s", err, cmp.Diff(got, again))
			}
		})
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":               "",
		"no JSON":               "hello\n",
		"an unknown kind":       `{"kind":"pair"}` + "\n" + `{"kind":"dance"}`,
		"a pair that is not":    `{"kind":"heard","n":1}`,
		"pairs out of order":    `{"kind":"pair","pair":1}`,
		"heard, not subscribed": `{"kind":"pair"}` + "\n" + `{"kind":"sent","n":1}` + "\n" + `{"kind":"heard","n":1}`,
		"a very long line":      `{"kind":"pair","text":"` + strings.Repeat("x", 2<<20) + `"}`,
	} {
		if v, err := bench.Replay(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %+v, want an error", name, v)
		}
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"kind":"pair"}` + "\n" + `{"kind":"hears"}` + "\n" + `{"kind":"sent","n":3}` + "\n" + `{"kind":"heard","n":3}` + "\n" + `{"kind":"heard","n":1}`))
	f.Add([]byte(`{"kind":"pair","state":true}` + "\n" + `{"kind":"hears"}` + "\n" + `{"kind":"told"}` + "\n" + `{"kind":"up"}`))
	f.Add([]byte(`{"kind":"pair","pair":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := bench.Replay(bytes.NewReader(text))
		b, again := bench.Replay(bytes.NewReader(text))
		if (err == nil) != (again == nil) || cmp.Diff(a, b) != "" {
			t.Errorf("judged twice: %v %+v, %v %+v", err, a, again, b)
		}
	})
}
