package bus

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rte/internal/event"
)

// Door opens the embedded server to producers. The zero value keeps it shut.
type Door struct {
	// Listen is an address, host:port; port 0 is a free one.
	Listen string

	// TLS asks producers for TLS; nil means none.
	TLS *tls.Config

	// Users is the file that says who may come in (see [ReadUsers]). It is
	// read again when it changes; a user that is changed or gone loses its
	// connections.
	Users string
}

// A gate lets users into the embedded server (server.Authentication). Each
// has an account of its own, into which nothing comes but the answers to what
// it asks: it can see no other user's messages, and nothing of the store.
// Inside its account it may publish events of its organizations.
type gate struct {
	file string
	log  *slog.Logger
	own  login // this process's own, with all rights

	ready chan struct{}  // closed when the first users are in
	slot  chan struct{}  // taken by who computes bcrypt: it is as slow as it is meant to be
	stop  chan struct{}  // closed to end the goroutine
	ended sync.WaitGroup // the goroutine

	mu     sync.Mutex
	server *server.Server
	users  map[string]*guest // by name
	keys   map[string]*guest // by nkey
	inside map[uint64]string // connections' users, by the server's id
}

// A login is a name and a password.
type login struct{ user, password string }

// A guest is a user and what it may do.
type guest struct {
	User
	account *server.Account
	rights  *server.Permissions
}

// usersAge is how often the file is looked at.
const usersAge = time.Second

// newLogin is one that nobody knows.
func newLogin() login { return login{user: "rte-" + rand.Text(), password: rand.Text()} }

func newGate(file string, own login, log *slog.Logger) *gate {
	return &gate{
		file: file, log: log, own: own,
		ready: make(chan struct{}), slot: make(chan struct{}, 1), stop: make(chan struct{}),
		inside: map[uint64]string{},
	}
}

// listen makes the server ask the gate who comes in by its socket.
func (g *gate) listen(so *server.Options, d Door) error {
	host, port, err := net.SplitHostPort(d.Listen)
	if err == nil {
		so.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return fmt.Errorf("address of the NATS door: %w", err)
	}
	if so.Port == 0 {
		so.Port = server.RANDOM_PORT
	}
	so.Host, so.DontListen, so.TLSConfig = host, false, d.TLS
	so.CustomClientAuthentication, so.AlwaysEnableNonce = g, true
	so.Username, so.Password = "", "" // the gate knows them
	return nil
}

// open lets the first users in; the server runs. From then on the gate looks
// after the file.
func (g *gate) open(srv *server.Server) error {
	g.server = srv
	if err := srv.GlobalAccount().AddServiceExport(doorPrefix+">", nil); err != nil {
		return err
	}
	stamp := fileStamp(g.file)
	users, err := ReadUsers(g.file)
	if err == nil {
		err = g.admit(users)
	}
	if err != nil {
		return err
	}
	close(g.ready)
	g.ended.Go(func() { g.look(stamp) })
	return nil
}

// close ends the goroutine.
func (g *gate) close() {
	close(g.stop)
	g.ended.Wait()
}

// look reads the file again when it has changed. A file that is bad, or half
// written, leaves the users as they are.
func (g *gate) look(stamp string) {
	tick := time.NewTicker(usersAge)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-tick.C:
		}
		g.forgetGone()
		now := fileStamp(g.file)
		if now == stamp {
			continue
		}
		stamp = now
		users, err := ReadUsers(g.file)
		if err == nil {
			err = g.admit(users)
		}
		if err != nil {
			g.log.Error("the new NATS users cannot be used; the old ones stay", "err", err)
			continue
		}
		g.log.Info("NATS users read again", "users", len(users))
	}
}

// fileStamp changes when a file does.
func fileStamp(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return info.ModTime().String() + strconv.FormatInt(info.Size(), 10)
}

// admit replaces the users. Connections of users that are not as they were
// are closed; their clients come back by themselves, if they may.
func (g *gate) admit(users []User) error {
	byName, byKey := map[string]*guest{}, map[string]*guest{}
	for _, u := range users {
		account, err := g.account(u.Name)
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		guest := &guest{User: u, account: account, rights: rightsOf(u)}
		byName[u.Name] = guest
		if u.Key != "" {
			byKey[u.Key] = guest
		}
	}
	g.mu.Lock()
	var leave []uint64
	for id, name := range g.inside {
		if !sameUser(g.users[name], byName[name]) {
			leave = append(leave, id)
			delete(g.inside, id)
		}
	}
	g.users, g.keys = byName, byKey
	g.mu.Unlock()
	for _, id := range leave {
		_ = g.server.DisconnectClientByID(id) // an error means that it has gone
	}
	return nil
}

func sameUser(a, b *guest) bool {
	return a != nil && b != nil && a.Key == b.Key && string(a.Password) == string(b.Password) && a.Any == b.Any && slices.Equal(a.Orgs, b.Orgs)
}

// account is a user's own account, from which the door can be asked.
func (g *gate) account(user string) (*server.Account, error) {
	name := "door." + user
	if a, err := g.server.LookupAccount(name); err == nil {
		return a, nil
	}
	a, err := g.server.RegisterAccount(name)
	if err != nil {
		return nil, err
	}
	return a, a.AddServiceImport(g.server.GlobalAccount(), doorPrefix+">", doorPrefix+">")
}

// rightsOf are what a user may do inside its account.
func rightsOf(u User) *server.Permissions {
	publish := &server.SubjectPermission{}
	for _, org := range u.Orgs {
		publish.Allow = append(publish.Allow, orgSubjects(org))
	}
	if u.Any {
		publish.Allow = []string{doorPrefix + ">"}
	}
	return &server.Permissions{Publish: publish, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}
}

func orgSubjects(org event.GUID) string { return doorPrefix + org.String() + ".>" }

// userOf is the user of a connection, "" if there is none.
func (g *gate) userOf(id uint64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside[id]
}

// forgetGone forgets connections that have ended.
func (g *gate) forgetGone() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.inside {
		if g.server.GetClient(id) == nil {
			delete(g.inside, id)
		}
	}
}
