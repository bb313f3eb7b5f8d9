package node_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

// tail opens a stream.
func (w *world) tail(token, query string) (status int, lines *bufio.Scanner, header http.Header) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL()+"/api/v1/stream"+query, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return resp.StatusCode, bufio.NewScanner(resp.Body), resp.Header
}

func ofPlatform(t testing.TB) string {
	t.Helper()
	return sign(t, func(c *auth.Claims) { c.Role, c.Org, c.Queues = auth.Platform, event.GUID{}, nil })
}

// Who may read what.
func TestWhoMayReadStreams(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for name, test := range map[string]struct {
		token, query string
		want         int
	}{
		"nobody":                                {"", "", 401},
		"garbage":                               {"garbage", "", 401},
		"token in the query":                    {"", "?access_token=" + service(t, orgA), 401},
		"user":                                  {sign(t, nil), "", 403},
		"supervisor":                            {sign(t, func(c *auth.Claims) { c.Role = auth.Supervisor }), "", 403},
		"admin":                                 {sign(t, func(c *auth.Claims) { c.Role = auth.Admin }), "", 403},
		"service":                               {service(t, orgA), "", 200},
		"service, own organization":             {service(t, orgA), "?org=" + orgA.String(), 200},
		"service, another organization":         {service(t, orgA), "?org=" + orgB.String(), 403},
		"platform, no organization":             {ofPlatform(t), "", 400},
		"platform, an organization":             {ofPlatform(t), "?org=" + orgB.String(), 200},
		"platform, no Guid as organization":     {ofPlatform(t), "?org=x", 400},
		"a position that is none":               {service(t, orgA), "?after=x", 400},
		"an event that is none":                 {service(t, orgA), "?events=x", 400},
		"the position of a store that is other": {service(t, orgA), "?after=EAAAAAAAAA.EQAAAAAAAA", 410},
	} {
		if status, _, _ := w.tail(test.token, test.query); status != test.want {
			t.Errorf("%s: %d, want %d", name, status, test.want)
		}
	}
}

// A line is what a subscriber is pushed, but for its cursor, which is one to go
// on behind; another organization's events are not among them.
func TestStreamLines(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	v := w.visit(sign(t, nil))
	v.subscribe(queueText+":QueueStatus", userText+":UserStatus")
	_, lines, header := w.tail(service(t, orgA), "?events=QueueStatus,userstatus")
	if got := header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type %q", got)
	}
	w.publish(orgB, "QueueStatus", queueText, `{"nbrOfCalls":9}`)
	w.publish(orgA, "QueueStatus", queueText, `{"nbrOfCalls":1}`)
	w.publish(orgA, "QueueCallInArrived", queueText, `{}`)
	last := ""
	for n, pushed := range []push{v.next(), {}} {
		if n == 1 {
			w.publish(orgA, "UserStatus", userText, `{"note":"ä"}`)
			pushed = v.next()
		}
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		text := lines.Text()
		if !regexp.MustCompile(`^\{"subscription":\{"entityId":"[^"]+","eventName":"[a-z]+"\},"data":\{.*\},"cursor":"[\w-]+\.[\w-]+","time":"[^"]+Z"\}$`).MatchString(text) {
			t.Errorf("line %s", text)
		}
		var got push
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		last = got.Cursor
		pushed.Cursor, got.Cursor = "", ""
		if diff := cmp.Diff(pushed, got); diff != "" {
			t.Errorf("push and line differ (-push +line):\n%s", diff)
		}
	}
	w.publish(orgA, "QueueStatus", queueText, `{"nbrOfCalls":2}`)
	_, again, _ := w.tail(ofPlatform(t), "?org="+orgA.String()+"&after="+last)
	if !again.Scan() || !strings.Contains(again.Text(), `"nbrOfCalls":2`) {
		t.Errorf("behind the cursor comes %s, %v", again.Text(), again.Err())
	}
	if n := w.figure("rte_streams"); n != 2 {
		t.Errorf("%v streams are open, want 2", n)
	}
	w.stop()
	for _, l := range []*bufio.Scanner{lines, again} {
		text := ""
		for l.Scan() {
			text = l.Text()
		}
		if !strings.HasPrefix(text, `{"error":"this node is about to stop; go on behind the cursor at another","reason":"draining","cursor":"`) || l.Err() != nil {
			t.Errorf("the last line is %s, %v", text, l.Err())
		}
	}
}

// Streams are bounded, and end with their token where connections do.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) {
		c.MaxStreamsPerOrg, c.MaxStreams, c.CloseOnExpiry, c.JWTLeeway = 1, 2, true, 0
	})
	short := sign(t, func(c *auth.Claims) {
		c.Role, c.Queues, c.Expires = auth.Service, nil, time.Now().Add(2*time.Second)
	})
	_, lines, _ := w.tail(short, "")
	for _, test := range []struct {
		org    event.GUID
		status int
	}{{orgA, 429}, {orgB, 200}, {event.GUID{0xc}, 503}} {
		if status, _, header := w.tail(service(t, test.org), ""); status != test.status || (header.Get("Retry-After") == "10") != (status != 200) {
			t.Errorf("organization %s: %d, %v, want %d", test.org, status, header, test.status)
		}
	}
	w.limited("streams", "organization", 1)
	w.limited("streams", "node", 1)
	text := ""
	for lines.Scan() {
		text = lines.Text()
	}
	if !strings.Contains(text, `"reason":"expired"`) {
		t.Errorf("the last line is %s, %v", text, lines.Err())
	}
	w.until(`rte_stream_ends_total{reason="expired"} 1`)
	if status, _, _ := w.tail(service(t, orgA), ""); status != 200 {
		t.Errorf("when one has gone: %d", status)
	}
}
