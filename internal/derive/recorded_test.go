package derive_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordedLog is an hour of a contact centre with its ticks, one a second at
// times, as a script: what comes out stands behind each line.
const recordedLog = "testdata/recorded/hour.txt"

// TestRecordedLog: the log gives the payloads that are recorded, byte for byte
// and in that order, in each run, and also when three owners take turns who
// know only what was kept and what is in the store.
func TestRecordedLog(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile(recordedLog, play(t, record(), nil).text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(recordedLog)
	if err != nil {
		t.Fatal(err)
	}
	first, second := play(t, log, nil), play(t, log, nil)
	if d := cmp.Diff(string(log), first.text.String()); d != "" {
		t.Fatalf("(-recorded +played):\n%s", d)
	}
	if !bytes.Equal(first.data, second.data) {
		t.Error("a second run gave other payloads")
	}
	for name := range kindsOfRecord {
		if !bytes.Contains(log, []byte("\n> "+name+" @")) {
			t.Errorf("nothing in the log gives a %s", name)
		}
	}
	for _, every := range []int{1, 2, 7, 50} {
		n := 0
		handed := play(t, log, func(p *player) {
			p.reach = 20 * time.Second // as the owner's place
			if n++; n%every == 0 {
				p.takeOver()
			}
		})
		if d := cmp.Diff(string(first.data), string(handed.data)); d != "" {
			t.Errorf("another owner behind every %d lines (-one owner +several):\n%.2000s", every, d)
		}
	}
}

var kindsOfRecord = map[string]bool{"UserCallbackChanged": true, "CallbackListStatus": true, "UserAlert": true, "UserQueueAlert": true}

// record makes the log. It is always the same.
func record() []byte {
	r := rand.New(rand.NewPCG(7, 27))
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	name := func(sort string, n int) string { return fmt.Sprintf("@%s%d", sort, r.IntN(n)) }
	date := func() string {
		if r.IntN(5) == 0 {
			return "null"
		}
		return now.Add(time.Duration(r.IntN(4000)-200) * time.Second).Format(`"2006-01-02T15:04:05Z"`)
	}
	line("# Made by TestRecordedLog with -update.")
	line("set terminal=9")
	line("tick %s", now.Format(time.RFC3339))
	line("list @list0 auto @user0 @user1 @user2")
	line("list @list1 manual @user2 @user3")
	line(`alert @alert0 @user0 {"entityId":"@queue0","eventName":"QueueStatus","field":"NbrOfQueuingRequesters","operator":">","value":5,"clearValue":3}`)
	line(`alert @alert1 @user1 {"entityId":"@queue1","eventName":"QueueStatus","field":"MaxWaitTime","operator":">=","value":30,"forSeconds":5}`)
	line(`alert @alert2 @user2 {"entityId":"@list2","eventName":"CallbackListStatus","field":"TotalOpenRequests","operator":">","value":4}`)
	calls := 0
	for range 260 {
		switch r.IntN(8) {
		case 0, 1, 2:
			assigned := "null"
			if r.IntN(2) == 0 {
				assigned = `"` + name("user", 4) + `"`
			}
			attempt := "null"
			if r.IntN(4) == 0 {
				attempt = fmt.Sprint(r.IntN(10))
			}
			previous := ""
			if r.IntN(10) == 0 {
				previous = " previous=" + name("user", 4)
			}
			callback := r.IntN(18)
			line(`event CallbackChanged @list%d%s {"callBackId":"@callback%d","callListId":"@list%d","assignedUserId":%s,"dueDate":%s,"expiryDate":%s,"notBefore":%s,"lastAttemptTypeId":%s,"contactName":"sample"}`,
				callback%3, previous, callback, callback%3, assigned, date(), date(), date(), attempt)
		case 3:
			line(`event UserStatus %s {"servingCallback":%t}`, name("user", 4), r.IntN(2) == 0)
		case 4:
			line(`event QueueStatus %s {"nbrOfQueuingRequesters":%d,"maxWaitTime":%d,"queueName":"Sales"}`, name("queue", 2), r.IntN(11), r.IntN(60))
		case 5:
			line(`event QueueCallInArrived %s {"callId":"@call%d","queueName":"Sales"}`, name("queue", 2), calls)
			calls++
		case 6:
			kind := []string{"QueueCallInUserConnected", "QueueCallInDisconnected", "QueueCallInOverflow"}[r.IntN(3)]
			line(`event %s %s {"callId":"@call%d"}`, kind, name("queue", 2), r.IntN(calls+1))
		default:
			for range 1 + r.IntN(20) {
				now = now.Add(time.Second)
				line("tick +1s")
			}
		}
	}
	return []byte(b.String())
}
