package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// preflightAge is how long a browser may remember a preflight's answer, in
// seconds. Chromium caps it at two hours.
const preflightAge = "7200"

// AllowOrigin sets the headers that let a page of another origin read the
// answer, with credentials, because released clients send them by default: so
// the origin is echoed, never "*". It reports whether pages of the request's
// origin may ask here, by the same rule as Options.AllowedOrigins; the caller
// refuses others with 403. Requests without an origin, which no browser page
// makes across origins, may.
//
// A [Handler] does this by itself; it is exported for what is served beside it.
func AllowOrigin(w http.ResponseWriter, r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	if len(allowed) > 0 && !sameOrigin(r, origin) &&
		!slices.ContainsFunc(allowed, func(pattern string) bool { return originMatches(pattern, origin) }) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	return true
}

// sameOrigin tells whether a page of this very server asks: it needs no
// permission.
func sameOrigin(r *http.Request, origin string) bool {
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// originMatches tells whether an origin is what a pattern means. A pattern
// "https://*.example.com" means every name below the domain, at any depth, and
// not the domain itself.
func originMatches(pattern, origin string) bool {
	scheme, domain, wild := strings.Cut(pattern, "://*.")
	if !wild {
		return pattern == "*" || strings.EqualFold(pattern, origin)
	}
	from, host, ok := strings.Cut(origin, "://")
	under := len(host) - len(domain) - 1
	return ok && under > 0 && strings.EqualFold(from, scheme) &&
		host[under] == '.' && strings.EqualFold(host[under+1:], domain) &&
		!strings.ContainsFunc(host[:under], func(c rune) bool { // nothing that could end the name
			return (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' && c != '.'
		})
}

// CheckOrigin says what is wrong with an entry of Options.AllowedOrigins, which
// could then never match: "*" and "null" are entries, and what a browser sends,
// scheme://host with a port where it is not the scheme's own, or the same with
// "*." before the host.
func CheckOrigin(pattern string) error {
	if pattern == "*" || pattern == "null" {
		return nil
	}
	u, err := url.Parse(strings.Replace(pattern, "://*.", "://", 1))
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil:
		return fmt.Errorf("%q is no origin; write https://desk.example.com, or https://*.example.com for every name below", pattern)
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(pattern, "#"):
		return fmt.Errorf("%q: an origin ends behind the host and the port", pattern)
	case strings.Contains(u.Host, "*"):
		return fmt.Errorf("%q: a star may only stand for all of what is before a domain, as in https://*.example.com", pattern)
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return fmt.Errorf("%q: leave the port out, as browsers do where it is the scheme's own", pattern)
	case strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("%q: the port is missing behind the colon", pattern)
	}
	return nil
}

// AnswerPreflight answers a browser's question whether a request may be made,
// for pages that AllowOrigin lets ask: methods and headers are lists with
// commas.
func AnswerPreflight(w http.ResponseWriter, methods, headers string) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", methods)
	header.Set("Access-Control-Allow-Headers", headers)
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}

// IsPreflight tells whether a request is a browser's question.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
