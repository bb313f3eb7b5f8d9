package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
	"gopkg.in/yaml.v3"

	"rte/internal/event"
)

// A User is a producer that may come in by the NATS door of the embedded
// server.
type User struct {
	Name     string
	Password []byte       // bcrypt hash; nil if it has a key
	Key      string       // public nkey (U…); "" if it has a password
	Orgs     []event.GUID // it publishes for these
	Any      bool         // it publishes for all organizations
}

// ReadUsers reads a file of users, YAML or JSON:
//
//	users:
//	  - name: callcore
//	    password: $2a$11$…         # a bcrypt hash, or
//	    nkey: UDXU4RCS…            # a public nkey
//	    organizations: [a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3]   # or
//	    platform: true
//
// Its errors name the file and the user, never a password.
func ReadUsers(file string) ([]User, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read NATS users: %w", err)
	}
	users, err := parseUsers(text)
	if err != nil {
		return nil, fmt.Errorf("read NATS users: %s: %w", file, err)
	}
	return users, nil
}

// A userEntry is one user as the file has it.
type userEntry struct {
	Name          string   `yaml:"name"`
	Password      string   `yaml:"password"`
	Nkey          string   `yaml:"nkey"`
	Organizations []string `yaml:"organizations"`
	Platform      bool     `yaml:"platform"`
}

func parseUsers(text []byte) ([]User, error) {
	var doc struct {
		Users []userEntry `yaml:"users"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	if len(doc.Users) == 0 {
		return nil, errors.New("it names no user under the key users")
	}
	var users []User
	seen := map[string]bool{}
	for i, e := range doc.Users {
		u, err := e.user()
		if err != nil {
			return nil, fmt.Errorf("user %d (%q): %w", i+1, e.Name, err)
		}
		for _, id := range []string{"name " + u.Name, "nkey " + u.Key} {
			if seen[id] && id != "nkey " {
				return nil, fmt.Errorf("user %d (%q): there is another with this name or nkey", i+1, u.Name)
			}
			seen[id] = true
		}
		users = append(users, u)
	}
	return users, nil
}

// yamlError keeps of a fault only where it is: its text may repeat a value.
func yamlError(err error) error {
	e, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		line, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), ":")
		if !strings.HasPrefix(line, "line ") {
			return errors.New("it is not YAML or JSON; put texts that begin with a sign in quotes")
		}
		return fmt.Errorf("it is not YAML or JSON (%s)", line)
	}
	line, rest, _ := strings.Cut(e.Errors[0], ": ")
	if field, ok := strings.CutPrefix(rest, "field "); ok && strings.HasSuffix(field, "userEntry") {
		name, _, _ := strings.Cut(field, " ")
		return fmt.Errorf("%s: a user has no %s; it has name, password or nkey, organizations or platform", line, name)
	}
	return fmt.Errorf("%s: not what belongs there; a user has name, password or nkey, organizations (a list) or platform (true)", line)
}

func (e userEntry) user() (u User, err error) {
	u = User{Name: e.Name, Key: e.Nkey, Any: e.Platform}
	switch {
	case e.Name == "":
		return u, errors.New("its name is missing")
	case strings.ContainsAny(e.Name, " \t\r\n.*>"):
		return u, errors.New("a name has no blanks, dots, * or >")
	case (e.Password == "") == (e.Nkey == ""):
		return u, errors.New("it needs a password or an nkey, and not both")
	case e.Nkey != "" && !nkeys.IsValidPublicUserKey(e.Nkey):
		return u, errors.New("its nkey is not the public key of a user, which begins with U")
	case e.Platform == (len(e.Organizations) > 0):
		return u, errors.New("it needs organizations or platform: true, and not both")
	}
	if e.Password != "" {
		u.Password = []byte(e.Password)
		if _, err := bcrypt.Cost(u.Password); err != nil {
			return u, errors.New("its password is not a bcrypt hash, as `nats server passwd` or `htpasswd -nB` makes it")
		}
	}
	for _, text := range e.Organizations {
		g, err := event.ParseGUID(text)
		if err != nil {
			return u, fmt.Errorf("organization %q is not a Guid", text)
		}
		u.Orgs = append(u.Orgs, g)
	}
	return u, nil
}
