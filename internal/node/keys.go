package node

import (
	"fmt"
	"os"
	"strings"
	"time"

	"rte/internal/auth"
)

// Keys are the settings that sign and verify tokens, and name their claims.
type Keys struct {
	JWTSecret            string `name:"jwt-secret" placeholder:"TEXT" help:"HS256 secret of users' tokens, at least 32 bytes; two, separated by a comma, during a rotation."`
	JWTSecretFile        string `name:"jwt-secret-file" type:"path" placeholder:"FILE" help:"File that holds --jwt-secret."`
	ServiceJWTSecret     string `name:"service-jwt-secret" placeholder:"TEXT" help:"HS256 secret of producers' and operators' tokens (default: the users')."`
	ServiceJWTSecretFile string `name:"service-jwt-secret-file" type:"path" placeholder:"FILE" help:"File that holds --service-jwt-secret."`
	JWTIssuer            string `name:"jwt-issuer" placeholder:"TEXT" help:"What the claim iss must be (default: not checked)."`
	JWTAudience          string `name:"jwt-audience" placeholder:"TEXT" help:"What the claim aud must name (default: not checked)."`
	ClaimUser            string `default:"sub" help:"Claim with the user's Guid."`
	ClaimOrg             string `default:"org" help:"Claim with the organization's Guid."`
	ClaimRole            string `default:"role" help:"Claim with the role."`
	ClaimQueues          string `default:"queues" help:"Claim with the Guids of visible queues."`
	ClaimLists           string `default:"lists" help:"Claim with the Guids of visible call lists."`
	ClaimUsers           string `default:"users" help:"Claim with the Guids of visible users."`
}

// secrets are the secrets of a flag or of the file that stands for it; a
// comma separates two.
func secrets(text, file, flag string) ([][]byte, error) {
	if file != "" {
		if text != "" {
			return nil, fmt.Errorf("--%s and --%s-file are both set; use one", flag, flag)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read --%s-file: %w", flag, err)
		}
		text = strings.TrimSpace(string(b))
	}
	if text == "" {
		return nil, nil
	}
	var list [][]byte
	for s := range strings.SplitSeq(text, ",") {
		list = append(list, []byte(s))
	}
	return list, nil
}

// ClaimNames are the claims that the settings name.
func (k *Keys) ClaimNames() auth.ClaimNames {
	return auth.ClaimNames{User: k.ClaimUser, Org: k.ClaimOrg, Role: k.ClaimRole, Queues: k.ClaimQueues, Lists: k.ClaimLists, Users: k.ClaimUsers}
}

// Verifier makes the token verifier of the settings.
func (k *Keys) Verifier() (*auth.Verifier, error) {
	users, err := secrets(k.JWTSecret, k.JWTSecretFile, "jwt-secret")
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, errNoSecret
	}
	service, err := secrets(k.ServiceJWTSecret, k.ServiceJWTSecretFile, "service-jwt-secret")
	if err != nil {
		return nil, err
	}
	return auth.New(auth.Options{Secrets: users, ServiceSecrets: service, Issuer: k.JWTIssuer, Audience: k.JWTAudience, Claims: k.ClaimNames()})
}

// Sign makes a token that a node with these settings takes: names, issuer,
// audience and the time of issue are filled in, and the key is the newest one
// that is good for the role.
func (k *Keys) Sign(c auth.Claims) (string, error) {
	text, file, flag := k.JWTSecret, k.JWTSecretFile, "jwt-secret"
	if c.Role >= auth.Service && (k.ServiceJWTSecret != "" || k.ServiceJWTSecretFile != "") {
		text, file, flag = k.ServiceJWTSecret, k.ServiceJWTSecretFile, "service-jwt-secret"
	}
	secrets, err := secrets(text, file, flag)
	if err != nil {
		return "", err
	}
	if len(secrets) == 0 {
		return "", errNoSecret
	}
	c.Names, c.Issuer, c.Audience, c.IssuedAt = k.ClaimNames(), k.JWTIssuer, k.JWTAudience, time.Now()
	return auth.Sign(secrets[0], c)
}

// errNoSecret tells what to do.
var errNoSecret = fmt.Errorf("no key for tokens: set --jwt-secret, --jwt-secret-file or RTE_JWT_SECRET (at least %d bytes), or try `rte demo`", auth.MinSecretBytes)
