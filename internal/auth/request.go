package auth

import (
	"net/http"
	"net/url"
	"strings"
)

// Token is the token that a request carries, or "": the Authorization header
// with the scheme Bearer, else the query parameter access_token; scheme and
// parameter match ignoring case. The header wins (SignalR report, 2.4).
//
// Two Authorization headers or two access_token parameters are as if there
// was no token at all: something in front of RTE may have looked at the other
// one. A header of another scheme is somebody else's and is passed over.
func Token(r *http.Request) string {
	headers := r.Header["Authorization"]
	if len(headers) > 1 {
		return ""
	}
	if len(headers) == 1 {
		scheme, token, _ := strings.Cut(strings.TrimSpace(headers[0]), " ")
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
			return token
		}
	}
	return queryToken(r.URL.RawQuery)
}

// queryToken finds the parameter without making a map of all of them. Pairs
// that net/url would not read are passed over in the same way.
func queryToken(query string) string {
	const name = "access_token"
	token, found := "", false
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if strings.Contains(pair, ";") {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		k, err := url.QueryUnescape(k)
		// The length keeps out letters that fold to ASCII ones, such as ſ.
		if err != nil || len(k) != len(name) || !strings.EqualFold(k, name) {
			continue
		}
		v, err = url.QueryUnescape(v)
		if err != nil || found {
			return ""
		}
		token, found = v, true
	}
	return token
}
