package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLineIDs(t *testing.T) {
	t.Parallel()
	const a, b = `{"eventName":"A"}`, ` {"eventName":"B"} `
	ids := func(l *lineIDs, lines ...string) (all []string) {
		for _, line := range lines {
			out, err := l.add(bytes.TrimSpace([]byte(line)))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, string(out))
		}
		return all
	}
	first := ids(newLineIDs(), a, b, a, a)
	again := ids(newLineIDs(), a, b, a, a)
	if first[0] == first[2] || first[2] == first[3] || fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("a, b, a, a:\n%q\nand again\n%q", first, again)
	}
	if want := `","eventName":"A"}`; !strings.HasPrefix(first[0], `{"id":"`) || !strings.HasSuffix(first[0], `-0`+want) || !strings.HasSuffix(first[3], `-2`+want) {
		t.Errorf("ids %q", first)
	}
	if got := ids(newLineIDs(), `{}`, `{"id":"x","a":1}`, `{"ID":"y"}`); !strings.HasSuffix(got[0], `-0"}`) || got[1] != `{"id":"x","a":1}` || got[2] != `{"ID":"y"}` {
		t.Errorf("an empty object, and lines with an id: %q", got)
	}
	for _, none := range []string{`{"id":null,"a":[1.50]}`, `{"Id":"","a":[1.50]}`} {
		if got := ids(newLineIDs(), none)[0]; strings.Count(strings.ToLower(got), `"id"`) != 1 || !strings.HasSuffix(got, `-0","a":[1.50]}`) {
			t.Errorf("%s became %s", none, got)
		}
	}
	short := newLineIDs() // forgets after two lines
	short.kept = 2
	seen := map[string]bool{}
	for _, line := range ids(short, a, b, a, b, a, a, b) {
		seen[line] = true
	}
	if len(seen) != 7 || len(short.seen) > 2 {
		t.Errorf("%d different lines of 7, %d remembered", len(seen), len(short.seen))
	}
	for text, want := range map[string]error{
		`x`: errNoJSON, `{"a":1`: errNoJSON, `{"a":1}{"b":2}`: errNoJSON, `[]`: errNoObject, `5`: errNoObject, `null`: errNoObject, `"x"`: errNoObject, "{\"a\":\"\xff\"}": errNoUTF8,
	} {
		if out, err := newLineIDs().add([]byte(text)); err != want { //nolint:errorlint // these are returned as they are
			t.Errorf("%s: got %s, %v; want %v", text, out, err, want)
		}
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine-1)
	r := bufio.NewReaderSize(strings.NewReader("a\n"+long+"\n\n"+long+"y\nlast"), 64)
	for i, want := range []struct {
		size  int
		whole bool
	}{{2, true}, {maxLine, true}, {1, true}, {-1, false}, {4, true}} {
		line, whole, err := readLine(r)
		if whole != want.whole || want.size >= 0 && len(line) != want.size || (err != nil) != (i == 4) {
			t.Errorf("line %d: %d bytes, whole %v, %v; want %+v", i, len(line), whole, err, want)
		}
	}
}

// TestProgress draws a bar for a terminal, and lines for everything else.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, bar := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := newProgress(&out, bar, 1000)
			p.tell() // too soon
			p.lines, p.bytes, p.accepted, p.rejected = 10, 250, 9, 1
			time.Sleep(2 * time.Second)
			p.tell()
			p.tell() // too soon
			p.printf("file:7: bad\n")
			p.lines, p.bytes, p.accepted = 40, 1000, 39
			time.Sleep(2 * time.Second)
			p.tell()
			p.summary("file")
			want := " 25 %, 10 lines read, 9 accepted, 1 refused, 5/s, 6s left\nfile:7: bad\n100 %, 40 lines read, 39 accepted, 1 refused, 10/s\n39 accepted, 1 refused of 40 lines of file in 4s\n"
			if bar {
				want = clearLine + "[######..................]  25 %, 10 lines read, 9 accepted, 1 refused, 5/s, 6s left" +
					clearLine + "file:7: bad\n" + clearLine + "[########################] 100 %, 40 lines read, 39 accepted, 1 refused, 10/s" +
					clearLine + "39 accepted, 1 refused of 40 lines of file in 4s\n"
			}
			if out.String() != want {
				t.Errorf("bar %v:\n%q\nwant\n%q", bar, out.String(), want)
			}
		})
	}
}

// TestPublishRefusedLines: each bad line is named with its number, whoever
// finds it bad, and the others go in.
func TestPublishRefusedLines(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	good := fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueCallInArrived","data":{"legId":"%%d"}}`, i.Org, queueText)
	lines := []string{
		fmt.Sprintf(good, 1), "", "not JSON", "[1]", `{"organizationId":"x"}`, fmt.Sprintf(good, 2), "{\"a\":\"\xff\"}", strings.Repeat("x", maxLine+1), fmt.Sprintf(good, 3), `{"a":`,
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := verb(t, "", "publish", "--url", i.URL, "--token", i.Token, file)
	if code != 1 || !strings.Contains(errs, "3 accepted, 6 refused of 10 lines of "+file) {
		t.Errorf("code %d: %s", code, errs)
	}
	for line, why := range map[int]string{
		3: errNoJSON.Error(), 4: errNoObject.Error(), 5: "$.organizationId found a string that is not a Guid", 7: errNoUTF8.Error(), 8: "the line is longer than 4194304 bytes", 10: errNoJSON.Error(),
	} {
		if want := fmt.Sprintf("%s:%d: %s", file, line, why); !strings.Contains(errs, want) {
			t.Errorf("the output has no %q:\n%s", want, errs)
		}
	}
}

// TestPublishGivesUp: without a node publish waits as long as it is told to.
func TestPublishGivesUp(t *testing.T) {
	t.Parallel()
	code, _, errs := verb(t, `{"eventName":"X"}`, "publish", "--url", "http://"+freeAddr(t), "--token", "x", "--patience", "250ms")
	if code != 1 || !strings.Contains(errs, "connection refused; trying again in 100ms") || !strings.Contains(errs, "gave up waiting for the node") {
		t.Errorf("code %d: %s", code, errs)
	}
	code, _, errs = verb(t, `{"eventName":"X"}`, "publish", "--url", "node:80", "--token", "x")
	if code != exitUsage || !strings.Contains(errs, "the node's URL") {
		t.Errorf("a bad URL: code %d: %s", code, errs)
	}
}

// TestPublishLive: what comes through a pipe is sent before more comes.
func TestPublishLive(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	listener := start(t, nil, "listen", "--url", i.Hub, "--token", i.Token, "--count", "3", queueText+":QueueStatus")
	until(t, func() bool { return strings.Contains(listener.errs.String(), "subscribed to") })
	stdin, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	var errs safeBuffer
	go func() {
		done <- run(t.Context(), []string{"publish", "--url", i.URL, "--token", i.Token}, streams{stdin, &errs, &errs})
	}()
	for n := range 3 {
		fmt.Fprintf(feed, `{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{"maxWaitTime":%d}}`+"\n", i.Org, queueText, n)
		line, err := listener.out.ReadString('\n')
		if want := fmt.Sprintf(`"data":{"maxWaitTime":%d}`, n); err != nil || !strings.Contains(line, want) {
			t.Fatalf("heard %s, %v; want %s", line, err, want)
		}
	}
	feed.Close()
	if code := <-done; code != 0 || !strings.Contains(errs.String(), "3 accepted, 0 refused of 3 lines of standard input") {
		t.Errorf("code %d: %s", code, errs.String())
	}
}
