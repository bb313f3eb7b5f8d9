package bus

import (
	"crypto/subtle"
	"encoding/base64"
	"net"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
)

// Check lets a connection in or not (server.Authentication).
func (g *gate) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if same(o.Username, g.own.user) && same(o.Password, g.own.password) {
		return true
	}
	select {
	case <-g.ready:
	case <-g.stop:
		return false
	}
	u, reason := g.recognise(o, c.GetNonce())
	if reason != "" {
		g.log.Info("NATS user refused", "remote", remote(c), "reason", reason)
		return false
	}
	c.RegisterUser(&server.User{Username: u.Name, Account: u.account, Permissions: u.rights})
	g.mu.Lock()
	defer g.mu.Unlock()
	if !sameUser(g.users[u.Name], u) {
		return false // changed meanwhile
	}
	g.inside[c.GetID()] = u.Name
	return true
}

// recognise finds out who it is, or why it is nobody.
func (g *gate) recognise(o *server.ClientOpts, nonce []byte) (u *guest, reason string) {
	g.mu.Lock()
	u = g.users[o.Username]
	if o.Nkey != "" {
		u = g.keys[o.Nkey]
	}
	g.mu.Unlock()
	switch {
	case u == nil && o.Nkey == "" && o.Username == "":
		return nil, "no user"
	case u == nil:
		return nil, "unknown user"
	case o.Nkey != "" && !signed(o, nonce):
		return nil, "signature"
	case o.Nkey == "" && !g.password(u, o.Password):
		return nil, "password"
	}
	return u, ""
}

// password compares; one at a time, so that guessing costs one core at most.
func (g *gate) password(u *guest, text string) bool {
	if u.Password == nil {
		return false
	}
	g.slot <- struct{}{}
	defer func() { <-g.slot }()
	return bcrypt.CompareHashAndPassword(u.Password, []byte(text)) == nil
}

// signed tells whether the nonce was signed with the user's key.
func signed(o *server.ClientOpts, nonce []byte) bool {
	signature, err := base64.RawURLEncoding.DecodeString(o.Sig)
	if err != nil {
		if signature, err = base64.StdEncoding.DecodeString(o.Sig); err != nil {
			return false
		}
	}
	key, err := nkeys.FromPublicKey(o.Nkey)
	return err == nil && key.Verify(nonce, signature) == nil
}

// same compares without telling by the time it takes.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// remote is where a connection comes from; one through memory has no address.
func remote(c server.ClientAuthentication) string {
	if a, ok := c.RemoteAddress().(*net.TCPAddr); ok {
		return a.String()
	}
	return "this process"
}
