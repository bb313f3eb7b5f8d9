package ingest_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/event"
	"rte/internal/ingest"
)

// gated is a door whose store answers when told to, and requests to it.
type gated struct {
	t      *testing.T
	door   *ingest.HTTP
	answer chan struct{}
	all    sync.WaitGroup
}

func newGated(t *testing.T, held int64) *gated {
	g := &gated{t: t, answer: make(chan struct{})}
	g.door = ingest.NewHTTP(event.NewCatalog(), authorize(t), func(context.Context, []*event.Event) []error {
		<-g.answer
		return nil
	}, ingest.Options{MaxHeldBytes: held, MaxBodyBytes: 1 << 20})
	return g
}

// send posts and tells the answer.
func (g *gated) send(token, contentType string, body io.Reader) <-chan string {
	done := make(chan string, 1)
	g.all.Go(func() {
		req := httptest.NewRequest("POST", "/api/v1/events", body)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", contentType)
		rec := httptest.NewRecorder()
		g.door.ServeHTTP(rec, req)
		done <- fmt.Sprint(rec.Code, " ", rec.Header().Get("Retry-After"), " ", rec.Body)
	})
	return done
}

// Requests of one organization wait for one another, for two seconds, then
// they are told to come back; others' are let in.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t, 16<<20) // four bodies of unknown length each
		array := func() io.Reader { return io.MultiReader(strings.NewReader("[" + arrivedAt(orgA, 1) + "]")) }
		var inside []<-chan string
		for range 3 { // with what they cost besides, a fourth is too much
			inside = append(inside, g.send("service", "application/json", array()))
		}
		synctest.Wait()
		late := g.send("service", "application/json", array())
		other := g.send("platform", "application/json", array())
		synctest.Wait()
		time.Sleep(2 * time.Second)
		want := `429 2 {"error":"too many publish requests of this organization are under way; send the events again after Retry-After seconds","accepted":0,"rejected":[],"cursor":"","next":0}` + "\n"
		if got := <-late; got != want {
			t.Errorf("the fourth is answered\n%swant\n%s", got, want)
		}
		patient := g.send("service", "application/json", array())
		synctest.Wait()
		time.Sleep(time.Second)
		close(g.answer) // the first three leave
		for _, done := range append(inside, other, patient) {
			if got := <-done; !strings.HasPrefix(got, `200  {"accepted":1,`) {
				t.Errorf("answer %s", got)
			}
		}
		g.all.Wait()
		if s := g.door.Stats(); s.TooMany != 1 || s.Accepted != 5 || s.Unavailable != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// The whole node has a bound, too; many small requests are far from it.
func TestGateOfTheNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t, 4<<20)
		var inside []<-chan string
		small := func() io.Reader { return strings.NewReader(arrivedAt(orgA, 1)) }
		for range 50 {
			inside = append(inside, g.send("service", "application/json", small()))
		}
		for _, token := range []string{"platform", "service B", "service C"} {
			inside = append(inside, g.send(token, "application/json", io.MultiReader(strings.NewReader("[]"), &held{g.answer})))
		}
		synctest.Wait()
		late := g.send("service D", "application/json", io.MultiReader(small()))
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if got := <-late; !strings.HasPrefix(got, `503 2 {"error":"too many publish requests are under way on this node;`) || !strings.HasSuffix(got, `"next":0}`+"\n") {
			t.Errorf("one more is answered %s", got)
		}
		close(g.answer)
		for _, done := range inside {
			if got := <-done; !strings.HasPrefix(got, `200  {"accepted":`) {
				t.Errorf("answer %s", got)
			}
		}
		g.all.Wait()
	})
}

// held is the end of a body that does not come before its time.
type held struct{ until chan struct{} }

func (h *held) Read([]byte) (int, error) {
	<-h.until
	return 0, io.EOF
}

// A request that goes while it waits leaves nothing behind.
func TestGateContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t, 4<<20)
		first := g.send("service", ndjson[1], strings.NewReader(arrivedAt(orgA, 1)))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		req := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/events", strings.NewReader(arrivedAt(orgA, 2)))
		req.Header.Set("Authorization", "Bearer service")
		req.Header.Set(ndjson[0], ndjson[1])
		rec := httptest.NewRecorder()
		g.all.Go(func() { g.door.ServeHTTP(rec, req) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), `"next":0`) {
			t.Errorf("got %d %s", rec.Code, rec.Body)
		}
		close(g.answer)
		if got := <-first; !strings.HasPrefix(got, "200") {
			t.Errorf("the first: %s", got)
		}
		g.all.Wait()
	})
}
