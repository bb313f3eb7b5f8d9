package bus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/bus"
	"rte/internal/event"
)

const (
	someHash = "$2a$04$7vpH8DHqV29d3IMVeJsoAO9k9TzHeEyBZ4d5KPJjJj3vzGRbFb5iS"
	someKey  = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
)

func TestReadUsers(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, text string) ([]bus.User, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return bus.ReadUsers(file)
	}
	want := []bus.User{
		{Name: "callcore", Password: []byte(someHash), Orgs: []event.GUID{orgA, orgB}},
		{Name: "platform", Key: someKey, Any: true},
	}
	for name, text := range map[string]string{
		"YAML": "# producers\nusers:\n  - name: callcore\n    password: " + someHash + "\n    organizations: [" + orgA.String() + ", '{" + strings.ToUpper(orgB.String()) + "}']\n" +
			"  - {name: platform, nkey: " + someKey + ", platform: true}\n",
		"JSON": "{\n\t\"users\": [\n\t\t{\"name\": \"callcore\", \"password\": \"" + someHash + "\",\n\t\t\"organizations\": [\"" + orgA.String() + "\", \"" + orgB.String() + "\"]},\n" +
			"\t\t{\"name\": \"platform\", \"nkey\": \"" + someKey + "\", \"platform\": true}\n\t]\n}\n",
	} {
		users, err := read(t, text)
		if d := cmp.Diff(want, users); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, d)
		}
	}
	for _, row := range []struct{ name, text, want string }{
		{"empty", "", "names no user"},
		{"no users", "users: []", "names no user"},
		{"no YAML", "users: [{name: geheim", "not YAML or JSON (line 1)"},
		{"alias", "users: [{name: a, platform: true, password: *geheim}]", "in quotes"},
		{"another key", "people: []", "line 1"},
		{"another member", "users: [{name: a, passwrod: geheim, platform: true}]", "line 1: a user has no passwrod"},
		{"another type", "users: [{name: a, platform: geheim}]", "line 1: not what belongs there"},
		{"no name", "users: [{platform: true, password: " + someHash + "}]", "user 1 (\"\"): its name is missing"},
		{"bad name", "users: [{name: a.b, platform: true, password: " + someHash + "}]", "no blanks, dots"},
		{"no secret", "users: [{name: a, platform: true}]", "a password or an nkey"},
		{"two secrets", "users: [{name: a, platform: true, nkey: " + someKey + ", password: " + someHash + "}]", "not both"},
		{"plain password", "users: [{name: a, platform: true, password: geheim}]", "bcrypt"},
		{"private key", "users: [{name: a, platform: true, nkey: SUAGEHEIM}]", "public key"},
		{"no organization", "users: [{name: a, password: " + someHash + "}]", "needs organizations"},
		{"all and some", "users: [{name: a, platform: true, organizations: [" + orgA.String() + "], password: " + someHash + "}]", "not both"},
		{"no Guid", "users: [{name: a, organizations: [\"*\"], password: " + someHash + "}]", "not a Guid"},
		{"twice", "users: [{name: a, platform: true, password: " + someHash + "}, {name: a, platform: true, nkey: " + someKey + "}]", "user 2 (\"a\")"},
		{"key twice", "users: [{name: a, platform: true, nkey: " + someKey + "}, {name: b, platform: true, nkey: " + someKey + "}]", "user 2 (\"b\")"},
	} {
		_, err := read(t, row.text)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") || strings.Contains(strings.ToLower(err.Error()), "geheim") || strings.Contains(err.Error(), someHash) {
			t.Errorf("%s: error %v, want one line with %q and no secret", row.name, err, row.want)
		}
	}
}

// FuzzParseUsers: whatever the file says, a user that comes out of it can be
// told from others, has one secret and is bound to something.
func FuzzParseUsers(f *testing.F) {
	f.Add([]byte("users: [{name: a, password: " + someHash + ", platform: true}]"))
	f.Add([]byte("{\"users\":[{\"name\":\"a\",\"nkey\":\"" + someKey + "\",\"organizations\":[\"" + orgA.String() + "\"]}]}"))
	f.Add([]byte("users:\n- &a {name: x}\n- *a\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := bus.ParseUsers(text)
		if (err == nil) == (len(users) == 0) {
			t.Fatalf("%d users, %v", len(users), err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("the error has several lines: %q", err)
		}
		names := map[string]bool{}
		for _, u := range users {
			if u.Name == "" || names[u.Name] || strings.ContainsAny(u.Name, ".*> ") || (u.Password == nil) == (u.Key == "") || u.Any == (len(u.Orgs) > 0) {
				t.Errorf("user %+v", u)
			}
			names[u.Name] = true
		}
	})
}

// FuzzHosts: an address that is taken shows without user and password, and one
// that is not does not show at all.
func FuzzHosts(f *testing.F) {
	for _, s := range []string{"nats://a:b@c:4222", "tls://token@host", "host:4222", "nats://[::1]:4222", "nats://a:b@c/d", "nats://a:b%zz@c", "://", "nats://u:p@ss@h:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		hosts, err := bus.External{URLs: []string{address}}.Hosts()
		if err != nil {
			if hosts != "" || !strings.HasPrefix(err.Error(), "address 1 of the NATS servers cannot be read") {
				t.Errorf("%q: %q, %v", address, hosts, err)
			}
			return
		}
		if strings.Contains(hosts, "@") || hosts == "" {
			t.Errorf("%q shows as %q", address, hosts)
		}
	})
}
