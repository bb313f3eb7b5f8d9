package ingest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

// Every event of the catalogue, spelled as the page does, as the wire does and
// in capitals, dense and with white space, comes out in the one wire form.
func TestCheckAllEvents(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	if len(cat.Events) != 41 {
		t.Fatalf("events in the catalogue: got %d, want 41", len(cat.Events))
	}
	for _, typ := range cat.Events {
		want := sample(typ, asWire, "")
		if !json.Valid([]byte(want)) {
			t.Fatalf("%s: the sample is not JSON: %s", typ.Name, want)
		}
		for _, in := range []struct{ name, data string }{
			{"wire", want},
			{"page", sample(typ, asPage, "")},
			{"capitals", sample(typ, asUpper, "")},
			{"page with space", sample(typ, asPage, " \r\n\t")},
		} {
			got, found, err := ingest.Check(nil, typ, []byte(in.data))
			if err != nil {
				t.Errorf("%s as %s: %v", typ.Name, in.name, err)
				continue
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", typ.Name, in.name, diff)
			}
			_, entityThere := typ.Field(typ.Entity)
			null := strings.Contains(want, `"listId":null`) && typ.Entity == "ListId"
			if found.HasOrg != (typ.Organization != "") || found.HasEntity != (entityThere && !null) {
				t.Errorf("%s: found %+v, entity field %q, organization field %q", typ.Name, found, typ.Entity, typ.Organization)
			}
		}
	}
}

func TestCheckFound(t *testing.T) {
	t.Parallel()
	// The organization also stands in an unknown member, which says nothing.
	data := `{"QueueId":"{7C9E6679-7425-40DE-944B-E07FC1F90AE7}","ORGANIZATIONID":"0f8fad5bd9cb469fa16570867728950e","x":{"organizationId":"` + orgB + `"}}`
	_, found, err := ingest.Check(nil, eventType(t, "QueueStatus"), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	want := ingest.Found{Org: guid(t, orgA), Entity: guid(t, queue1), HasOrg: true, HasEntity: true}
	if found != want {
		t.Errorf("found: got %+v, want %+v", found, want)
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, event, in, want string }{
		{"empty object", "UserStatus", " { } ", `{}`},
		{"any field may be left out", "QueueStatus", `{"MaxWaitTime": 5}`, `{"maxWaitTime":5}`},
		{"acronyms", "CallbackRequestNotification", `{"SMSTo":"a"}`, `{"smsTo":"a"}`},
		{"spelling per event (I06)", "UserCallInComing", `{"Username":"a","userNAME2":1}`, `{"username":"a","userNAME2":1}`},
		{"unknown members kept (I10, I41)", "UserStatus", `{"EventType":141,"Foo Bar":1,"URLBase":"x","Éa":2,"_X":3,"":4}`,
			`{"eventType":141,"foo Bar":1,"urlBase":"x","éa":2,"_X":3,"":4}`},
		{"unknown values verbatim but for space", "UserStatus", `{"x":{"A" : [ 1.50 , 1e+2 , "a b" ] , "A":null}}`,
			`{"x":{"A":[1.50,1e+2,"a b"],"A":null}}`},
		{"escaped names", "UserStatus", `{"\u0055serId":"` + user1 + `","\u0058\"y":1}`, `{"userId":"` + user1 + `","x\"y":1}`},
		{"values keep their bytes", "UserAvailability", `{"UserName":"\u00c4\/\ud83d\ude00Ä😀"}`, `{"userName":"\u00c4\/\ud83d\ude00Ä😀"}`},
		{"null where nullable or a reference type", "CallbackChanged", `{"CallId":null,"ContactName":null}`, `{"callId":null,"contactName":null}`},
		{"null list", "QueueAttachedUsers", `{"AttachedUsers":null}`, `{"attachedUsers":null}`},
		{"empty list", "QueueAttachedUsers", `{"AttachedUsers":[ ]}`, `{"attachedUsers":[]}`},
		{"helper objects", "QueueAttachedUsers", `{"AttachedUsers":[{"Active":true,"Extra":1},{}]}`, `{"attachedUsers":[{"active":true,"extra":1},{}]}`},
		{"Guid forms", "UserStatus", `{"UserId":"(A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3)"}`, `{"userId":"(A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3)"}`},
		{"zero Guid (I19, I20)", "UserStatus", `{"UserId":"00000000-0000-0000-0000-000000000000"}`, `{"userId":"00000000-0000-0000-0000-000000000000"}`},
		{"Guid with escapes", "UserStatus", `{"UserId":"\u007ba1eeb030-ff4b-ea11-ac9c-00155d4fdcf3\u007D"}`, `{"userId":"\u007ba1eeb030-ff4b-ea11-ac9c-00155d4fdcf3\u007D"}`},
		{"LegId is text (I44)", "QueueCallInArrived", `{"LegId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1"}`, `{"legId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1"}`},
		{"int range", "QueueStatus", `{"NbrOfQueuingRequesters":-2147483648,"NbrOfConnected":2147483647,"NbrOfAllocated":-0}`, `{"nbrOfQueuingRequesters":-2147483648,"nbrOfConnected":2147483647,"nbrOfAllocated":-0}`},
		{"short range", "CallbackChanged", `{"TypeId":-32768}`, `{"typeId":-32768}`},
		{"long range", "QueueStatus", `{"MaxWaitTime":-9223372036854775808}`, `{"maxWaitTime":-9223372036854775808}`},
		{"open enum takes others", "CallbackChanged", `{"TypeId":99}`, `{"typeId":99}`},
		{"open text enum takes others (I28)", "UserCallInUserOverflow", `{"Reason":"New"}`, `{"reason":"New"}`},
		{"closed enum", "UserAvailability", `{"Availability":"DoNotDisturb"}`, `{"availability":"DoNotDisturb"}`},
		{"closed enum with an escape", "UserAvailability", `{"Availability":"\u0042usy"}`, `{"availability":"\u0042usy"}`},
		{"closed enum of numbers", "QueueStatus", `{"OpenStatus":6}`, `{"openStatus":6}`},
		{"the name of a field as an unknown letter", "QueueStatus", `{"Kind":1}`, `{"kind":1}`},
		{"a capital that becomes a known plain letter", "CallbackChanged", `{"CallbackExtras":[{"\u0130d":5}]}`, `{"callbackExtras":[{"id":5}]}`},
		{"61 levels", "UserStatus", `{"x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`, `{"x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`},
		{"more unknown members than the short list", "UserStatus", `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0}`, `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			typ := eventType(t, tt.event)
			got, _, err := ingest.Check([]byte("before "), typ, []byte(tt.in))
			if err != nil {
				t.Fatalf("Check(%s): %v", tt.in, err)
			}
			if want := "before " + tt.want; string(got) != want {
				t.Errorf("Check(%s)\n got %s\nwant %s", tt.in, got, want)
			}
			again, _, err := ingest.Check(nil, typ, got[len("before "):])
			if err != nil || string(again) != tt.want {
				t.Errorf("checked again: got %s, %v", again, err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const text = "unreadable"
	for _, tt := range []struct{ name, event, in, path, words string }{
		{"nothing", "UserStatus", ``, "$", text},
		{"only space", "UserStatus", ` `, "$", text},
		{"an array", "UserStatus", `[]`, "$", "found an array, wanted an object"},
		{"null", "UserStatus", `null`, "$", "found null"},
		{"true", "UserStatus", `true`, "$", "found true"},
		{"false", "UserStatus", `false`, "$", "found false"},
		{"number", "UserStatus", `1`, "$", "found a number"},
		{"string", "UserStatus", `"x"`, "$", "found a string"},
		{"byte order mark", "UserStatus", "\ufeff{}", "$", text},
		{"not closed", "UserStatus", `{`, "$", text},
		{"comma at the end", "UserStatus", `{"a":1,}`, "$", text},
		{"no comma", "UserStatus", `{"a":1 "b":2}`, "$", text},
		{"no colon", "UserStatus", `{"a" 1}`, "$.a", text},
		{"bare name", "UserStatus", `{a:1}`, "$", text},
		{"text behind", "UserStatus", `{} x`, "$", text},
		{"second object", "UserStatus", `{}{}`, "$", text},
		{"comment", "UserStatus", `{/**/}`, "$", text},
		{"NaN", "UserStatus", `{"a":NaN}`, "$.a", text},
		{"word cut short", "UserStatus", `{"a":nul}`, "$.a", text},
		{"known null cut short", "UserAvailability", `{"userName":nul}`, "$.userName", text},
		{"known word cut short", "UserStatus", `{"talking":tru}`, "$.talking", text},
		{"leading zero", "UserStatus", `{"a":01}`, "$", text},
		{"plus", "UserStatus", `{"a":+1}`, "$.a", text},
		{"minus alone", "UserStatus", `{"a":-}`, "$.a", text},
		{"dot at the end", "UserStatus", `{"a":1.}`, "$.a", text},
		{"exponent without digits", "UserStatus", `{"a":1e+}`, "$.a", text},
		{"string not closed", "UserStatus", `{"a":"b`, "$.a", text},
		{"escape not closed", "UserStatus", `{"a":"\`, "$.a", text},
		{"unknown escape", "UserStatus", `{"a":"\x41"}`, "$.a", text},
		{"short \\u", "UserStatus", `{"a":"\u12"}`, "$.a", text},
		{"line break in a string", "UserStatus", "{\"a\":\"b\nc\"}", "$.a", text},
		{"bad UTF-8", "UserAvailability", "{\"userName\":\"a\xffb\"}", "$.userName", text},
		{"bad UTF-8 in a name", "UserStatus", "{\"\xc3\":1}", "$", text},
		{"surrogate in UTF-8", "UserStatus", "{\"a\":\"\xed\xa0\x80\"}", "$.a", text},
		{"array not closed", "UserStatus", `{"a":[1,2}`, "$.a", text},
		{"bad list", "QueueAttachedUsers", `{"attachedUsers":[{}`, "$.attachedUsers", text},
		{"high surrogate alone", "UserAvailability", `{"userName":"\ud800"}`, "$.userName", "half of a surrogate pair"},
		{"low surrogate alone", "UserAvailability", `{"userName":"\udc00"}`, "$.userName", "half of a surrogate pair"},
		{"two high surrogates", "UserStatus", `{"a":["\ud800\ud800"]}`, "$.a", "half of a surrogate pair"},
		{"62 levels", "UserStatus", `{"x":` + strings.Repeat("[", 61) + strings.Repeat("]", 61) + `}`, "$.x", "at most 61 levels"},
		{"62 levels of objects", "UserStatus", strings.Repeat(`{"x":`, 62) + "1" + strings.Repeat("}", 62), "$.x", "at most 61 levels"},
		{"known member twice", "UserStatus", `{"userId":"` + user1 + `","UserId":"` + user1 + `"}`, "$.userId", "a second time"},
		{"unknown member twice", "UserStatus", `{"Foo":1,"foo":1}`, "$.foo", "a second time"},
		{"unknown member twice by an escape", "UserStatus", `{"foo":1,"\u0066oo":1}`, "$.foo", "a second time"},
		{"unknown member twice, behind many", "UserStatus", `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"H":0}`, "$.h", "a second time"},
		{"helper member twice", "QueueAttachedUsers", `{"attachedUsers":[{},{"active":true,"Active":true}]}`, "$.attachedUsers[1].active", "a second time"},
		{"helper member twice by an exotic capital", "CallbackChanged", `{"callbackExtras":[{"id":1,"\u0130d":5}]}`, "$.callbackExtras[0].id", "a second time"},
		{"a name that is no word is not repeated", "UserStatus", `{"+358401234567":1,"+358401234567":1}`, "$.?", "a second time"},
		{"null Guid", "UserStatus", `{"userId":null}`, "$.userId", "found null, wanted a Guid"},
		{"null int", "QueueStatus", `{"maxWaitTime":null}`, "$.maxWaitTime", "found null, wanted a whole number"},
		{"number for a Guid", "UserStatus", `{"userId":5}`, "$.userId", "found a number, wanted a Guid"},
		{"no Guid", "UserStatus", `{"userId":"5"}`, "$.userId", "found a string that is not a Guid"},
		{"empty Guid", "UserStatus", `{"userId":""}`, "$.userId", "found a string that is not a Guid"},
		{"no Guid of the right length", "UserStatus", `{"userId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcfg"}`, "$.userId", "not a Guid"},
		{"blank in a Guid", "UserStatus", `{"userId":" 1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"}`, "$.userId", "not a Guid"},
		{"null in a nullable's place is named", "UserStatus", `{"wrapUpEnd":5}`, "$.wrapUpEnd", "or null"},
		{"string for an int", "QueueStatus", `{"NbrOfConnected":"5"}`, "$.nbrOfConnected", "found a string, wanted a whole number from -2147483648 to 2147483647"},
		{"fraction", "QueueStatus", `{"NbrOfConnected":5.0}`, "$.nbrOfConnected", "found a number with a fraction"},
		{"exponent", "QueueStatus", `{"NbrOfConnected":1e3}`, "$.nbrOfConnected", "found a number with a fraction or an exponent"},
		{"int too large", "QueueStatus", `{"NbrOfConnected":2147483648}`, "$.nbrOfConnected", "out of range"},
		{"int too small", "QueueStatus", `{"NbrOfConnected":-2147483649}`, "$.nbrOfConnected", "out of range"},
		{"int far too large", "QueueStatus", `{"NbrOfConnected":` + strings.Repeat("9", 40) + `}`, "$.nbrOfConnected", "out of range"},
		{"long too large", "QueueStatus", `{"MaxWaitTime":9223372036854775808}`, "$.maxWaitTime", "out of range"},
		{"long too small", "QueueStatus", `{"MaxWaitTime":-9223372036854775809}`, "$.maxWaitTime", "out of range"},
		{"short too large", "CallbackChanged", `{"TypeId":32768}`, "$.typeId", "found a number out of range, wanted a whole number from -32768 to 32767"},
		{"number for a string", "UserAvailability", `{"userName":5}`, "$.userName", "found a number, wanted a string, or null"},
		{"number for a bool", "UserStatus", `{"talking":1}`, "$.talking", "found a number, wanted true or false"},
		{"object for a list", "QueueAttachedUsers", `{"attachedUsers":{}}`, "$.attachedUsers", "found an object, wanted an array of objects"},
		{"null in a list", "QueueAttachedUsers", `{"attachedUsers":[{},null]}`, "$.attachedUsers[1]", "found null, wanted an object"},
		{"helper's field", "QueueAttachedUsers", `{"AttachedUsers":[{},{},{"Priority":"high"}]}`, "$.attachedUsers[2].priority", "found a string, wanted a whole number"},
		{"closed enum", "UserAvailability", `{"Availability":"Away"}`, "$.availability", "found another string, wanted one of Available, Busy, DoNotDisturb or OffWork"},
		{"closed enum, case", "UserAvailability", `{"Availability":"busy"}`, "$.availability", "found another string"},
		{"closed enum of numbers", "QueueStatus", `{"OpenStatus":7}`, "$.openStatus", "found another number"},
		{"no date", "UserStatus", `{"wrapUpEnd":"tomorrow"}`, "$.wrapUpEnd", "not such a date"},
		{"number for a date", "UserStatus", `{"wrapUpEnd":1700000000}`, "$.wrapUpEnd", "found a number, wanted a date"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte("before")
			out, found, err := ingest.Check(dst, eventType(t, tt.event), []byte(tt.in))
			var e *ingest.Error
			if !errors.As(err, &e) {
				t.Fatalf("Check(%s): got %s, %v; want an *Error", tt.in, out, err)
			}
			if string(out) != "before" || found != (ingest.Found{}) {
				t.Errorf("Check(%s) left %q, %+v", tt.in, out, found)
			}
			if e.Path != tt.path || e.Unreadable != (tt.words == text) {
				t.Errorf("Check(%s): path %s, unreadable %v; want %s, %v (%v)", tt.in, e.Path, e.Unreadable, tt.path, tt.words == text, err)
			}
			if tt.words != text && !strings.Contains(err.Error(), tt.words) {
				t.Errorf("Check(%s): error %q, want %q in it", tt.in, err, tt.words)
			}
			// encoding/json does not mind bad UTF-8; of the rest it is the judge.
			if valid := json.Valid([]byte(tt.in)); e.Unreadable && valid && !strings.Contains(tt.name, "UTF-8") || !e.Unreadable && !valid {
				t.Errorf("Check(%s): unreadable %v, but encoding/json says valid %v", tt.in, e.Unreadable, valid)
			}
		})
	}
}
