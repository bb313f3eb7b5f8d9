package node

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"rte/internal/auth"
)

// Keys are the settings that sign and verify tokens, name their claims, and
// say what those mean.
type Keys struct {
	JWTSecret            string        `name:"jwt-secret" placeholder:"TEXT" help:"Secret of users' tokens for HS256, at least 32 bytes (48 for HS384, 64 for HS512); two, separated by a comma, during a rotation."`
	JWTSecretFile        string        `name:"jwt-secret-file" type:"path" placeholder:"FILE" help:"File that holds --jwt-secret."`
	JWTPublicKey         string        `name:"jwt-public-key" type:"path" placeholder:"FILE" help:"Public keys or certificates (PEM, one or several) of users' tokens: RS, PS, ES, EdDSA; read again when the file changes."`
	JWKSURL              string        `name:"jwks-url" placeholder:"URL" help:"Where the issuer of users' tokens publishes its keys (JSON Web Key Set); https off loopback."`
	ServiceJWTSecret     string        `name:"service-jwt-secret" placeholder:"TEXT" help:"Secret of producers' and operators' tokens (default of the four --service- keys: the users' keys)."`
	ServiceJWTSecretFile string        `name:"service-jwt-secret-file" type:"path" placeholder:"FILE" help:"File that holds --service-jwt-secret."`
	ServiceJWTPublicKey  string        `name:"service-jwt-public-key" type:"path" placeholder:"FILE" help:"Public keys or certificates of producers' and operators' tokens."`
	ServiceJWKSURL       string        `name:"service-jwks-url" placeholder:"URL" help:"Where the issuer of producers' and operators' tokens publishes its keys."`
	JWTIssuer            string        `name:"jwt-issuer" placeholder:"TEXT" help:"What the claim iss must be (default: not checked)."`
	JWTAudience          string        `name:"jwt-audience" placeholder:"TEXT" help:"What the claim aud must name (default: not checked)."`
	JWTLeeway            time.Duration `name:"jwt-leeway" default:"5s" help:"Clock difference allowed for exp, nbf and iat."`
	ClaimUser            string        `default:"sub" help:"Claim with the user's Guid. A dot leads into an object, as in realm_access.role; a name with :// in it is one name."`
	ClaimOrg             string        `default:"org" help:"Claim with the organization's Guid."`
	ClaimRole            string        `default:"role" help:"Claim with the role, or with an array of roles."`
	ClaimQueues          string        `default:"queues" help:"Claim with the Guids of visible queues."`
	ClaimLists           string        `default:"lists" help:"Claim with the Guids of visible call lists."`
	ClaimUsers           string        `default:"users" help:"Claim with the Guids of visible users."`
	PrincipalURL         string        `name:"principal-url" placeholder:"URL" help:"The platform's resolver: users' claims are posted there, and the answer says who that is and what it may hear; https off loopback (default: the claims say it)."`
	PrincipalToken       string        `name:"principal-token" placeholder:"TEXT" help:"Bearer token for the resolver."`
	PrincipalTokenFile   string        `name:"principal-token-file" type:"path" placeholder:"FILE" help:"File that holds --principal-token."`
	OpenAvailability     bool          `help:"Let everybody hear the UserAvailability of the whole organization."`
}

// secretText is a secret of a flag or of the file that stands for it.
func secretText(text, file, flag string) (string, error) {
	if file == "" {
		return text, nil
	}
	if text != "" {
		return "", fmt.Errorf("--%s and --%s-file are both set; use one", flag, flag)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read --%s-file: %w", flag, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// secrets are those of a flag or its file; a comma separates two.
func secrets(text, file, flag string) (list [][]byte, err error) {
	text, err = secretText(text, file, flag)
	if err != nil || text == "" {
		return nil, err
	}
	for s := range strings.SplitSeq(text, ",") {
		list = append(list, []byte(s))
	}
	return list, nil
}

// ClaimNames are the claims that the settings name.
func (k *Keys) ClaimNames() auth.ClaimNames {
	return auth.ClaimNames{User: k.ClaimUser, Org: k.ClaimOrg, Role: k.ClaimRole, Queues: k.ClaimQueues, Lists: k.ClaimLists, Users: k.ClaimUsers}
}

// Verifier makes the token verifier of the settings. The directory, the
// revocations and the logger may be nil.
func (k *Keys) Verifier(d *auth.Directory, revoked *auth.Revocations, log *slog.Logger) (*auth.Verifier, error) {
	users, err := secrets(k.JWTSecret, k.JWTSecretFile, "jwt-secret")
	if err != nil {
		return nil, err
	}
	if len(users) == 0 && k.JWTPublicKey == "" && k.JWKSURL == "" {
		return nil, errNoKey
	}
	service, err := secrets(k.ServiceJWTSecret, k.ServiceJWTSecretFile, "service-jwt-secret")
	if err != nil {
		return nil, err
	}
	bearer, err := secretText(k.PrincipalToken, k.PrincipalTokenFile, "principal-token")
	if err != nil {
		return nil, err
	}
	leeway := k.JWTLeeway
	if leeway == 0 {
		leeway = -1 // none, not the room's default
	}
	return auth.New(auth.Options{
		Users:            auth.Keys{Secrets: users, PublicKeyFile: k.JWTPublicKey, KeySetURL: k.JWKSURL},
		Service:          auth.Keys{Secrets: service, PublicKeyFile: k.ServiceJWTPublicKey, KeySetURL: k.ServiceJWKSURL},
		Issuer:           k.JWTIssuer,
		Audience:         k.JWTAudience,
		Leeway:           leeway,
		Claims:           k.ClaimNames(),
		PrincipalURL:     k.PrincipalURL,
		PrincipalToken:   bearer,
		Directory:        d,
		Revocations:      revoked,
		OpenAvailability: k.OpenAvailability,
		Logger:           log,
	})
}

// Secret is the newest secret that is good for a role, as a key that signs
// with HS256 or the algorithm named.
func (k *Keys) Secret(role auth.Role, algorithm string) (auth.SigningKey, error) {
	text, file, flag := k.JWTSecret, k.JWTSecretFile, "jwt-secret"
	if role >= auth.Service && (k.ServiceJWTSecret != "" || k.ServiceJWTSecretFile != "") {
		text, file, flag = k.ServiceJWTSecret, k.ServiceJWTSecretFile, "service-jwt-secret"
	}
	list, err := secrets(text, file, flag)
	if err != nil {
		return auth.SigningKey{}, err
	}
	if len(list) == 0 {
		return auth.SigningKey{}, errNoKey
	}
	return auth.SecretKey(list[0], algorithm)
}

// Sign makes a token that a node with these settings takes, signed with a
// secret.
func (k *Keys) Sign(c auth.Claims) (string, error) {
	key, err := k.Secret(c.Role, "")
	if err != nil {
		return "", err
	}
	return k.SignWith(key, c)
}

// SignWith makes a token with any key: names, issuer, audience and the time of
// issue are filled in.
func (k *Keys) SignWith(key auth.SigningKey, c auth.Claims) (string, error) {
	c.Names, c.Issuer, c.Audience, c.IssuedAt = k.ClaimNames(), k.JWTIssuer, k.JWTAudience, time.Now()
	return key.Sign(c)
}

// errNoKey tells what to do.
var errNoKey = fmt.Errorf("no key for tokens: set --jwt-secret, --jwt-secret-file or RTE_JWT_SECRET (at least %d bytes), --jwt-public-key or --jwks-url, or try `rte demo`", auth.MinSecretBytes)
