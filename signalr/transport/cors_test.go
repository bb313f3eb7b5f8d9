package transport_test

import (
	"net/http"
	"testing"

	"rte/signalr/transport"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const own, desk, evil = "http://hub.example.com", "https://desk.example.com", "https://evil.example.com"
	tests := []struct {
		name    string
		allowed []string
		origin  string
		ok      bool
	}{
		{"any", nil, evil, true},
		{"no origin", []string{desk}, "", true},
		{"listed", []string{"https://other.example.com", desk}, desk, true},
		{"listed in another case", []string{"HTTPS://Desk.example.com"}, desk, true},
		{"star", []string{"*"}, evil, true},
		{"own", []string{desk}, own, true},
		{"own host, page over TLS in front of a proxy", []string{desk}, "https://hub.example.com", true},
		{"not listed", []string{desk}, evil, false},
		{"other port", []string{desk}, desk + ":8443", false},
		{"other scheme", []string{desk}, "http://desk.example.com", false},
		{"prefix", []string{desk}, desk + ".evil.com", false},
		{"null", []string{desk}, "null", false},
		{"nonsense", []string{desk}, "hub.example.com", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "tcp", transport.Options{AllowedOrigins: test.allowed})
			header := http.Header{"Host": {"hub.example.com"}}
			if test.origin != "" {
				header.Set("Origin", test.origin)
			}
			resp, body := s.do(http.MethodPost, "/negotiate?negotiateVersion=1", header)
			check := func(resp *http.Response, status int) {
				t.Helper()
				origin, credentials := test.origin, "true"
				if !test.ok || test.origin == "" {
					origin, credentials = "", ""
				}
				if resp.StatusCode != status || resp.Header.Get("Access-Control-Allow-Origin") != origin || resp.Header.Get("Access-Control-Allow-Credentials") != credentials {
					t.Errorf("got %s with %v, want %d for %q, credentials %q", resp.Status, resp.Header, status, origin, credentials)
				}
				if test.origin != "" && resp.Header.Get("Vary") != "Origin" {
					t.Errorf("Vary = %q, want Origin: caches must not mix origins", resp.Header.Get("Vary"))
				}
			}
			if test.ok {
				check(resp, http.StatusOK)
			} else if check(resp, http.StatusForbidden); body != "" {
				t.Errorf("refused with %q, want an empty body", body)
			}

			header.Set("Access-Control-Request-Method", "POST")
			header.Set("Access-Control-Request-Headers", "authorization,x-requested-with,x-signalr-user-agent")
			resp, _ = s.do(http.MethodOptions, "/negotiate", header)
			if !test.ok {
				check(resp, http.StatusForbidden)
			} else if check(resp, http.StatusNoContent); resp.Header.Get("Access-Control-Allow-Methods") != "GET, POST, DELETE, OPTIONS" ||
				resp.Header.Get("Access-Control-Allow-Headers") != "authorization, content-type, x-requested-with, x-signalr-user-agent" ||
				resp.Header.Get("Access-Control-Max-Age") == "" {
				t.Errorf("preflight answered with %v", resp.Header)
			}
		})
	}
}

// A browser does not ask before it opens a WebSocket: the upgrade itself is
// where a foreign page is stopped. And it sends no token with a preflight.
func TestCORSUpgradeAndPreflight(t *testing.T) {
	t.Parallel()
	asked := 0
	s := newSite(t, "tcp", transport.Options{
		AllowedOrigins: []string{"https://desk.example.com"},
		Authenticate: func(*http.Request) (any, error) {
			asked++
			return nil, nil
		},
	})
	if _, resp := s.upgrade("", http.Header{"Origin": {"https://evil.example.com"}}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("upgrade from a foreign page: %s, want 403", resp.Status)
	}
	if resp, _ := s.do(http.MethodOptions, "", http.Header{"Origin": {"https://desk.example.com"}, "Access-Control-Request-Method": {"DELETE"}}); resp.StatusCode != http.StatusNoContent {
		t.Errorf("preflight: %s, want 204", resp.Status)
	}
	if asked != 0 || s.handler.Stats().Refused != 1 {
		t.Errorf("asked for identity %d times, %d refused, want 0 and 1", asked, s.handler.Stats().Refused)
	}
	if _, resp := s.upgrade("", http.Header{"Origin": {"https://desk.example.com"}}); resp.StatusCode != http.StatusSwitchingProtocols || asked != 1 {
		t.Errorf("upgrade from the listed page: %s, asked %d times, want 101 and once", resp.Status, asked)
	}
	s.next()
}

// Every name below a domain, and nothing that only looks like one.
func TestCORSBelowADomain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", transport.Options{AllowedOrigins: []string{"https://*.example.com", "http://*.test.example.org:8080"}})
	for origin, ok := range map[string]bool{
		"https://desk.example.com":               true,
		"https://a.b-c.example.com":              true,
		"HTTPS://Desk.Example.COM":               true,
		"http://x.test.example.org:8080":         true,
		"https://example.com":                    false,
		"https://.example.com":                   false,
		"https://evilexample.com":                false,
		"http://desk.example.com":                false,
		"https://desk.example.com:8443":          false,
		"https://desk.example.com.evil.com":      false,
		"https://evil.com/.example.com":          false,
		"https://evil.com#.example.com":          false,
		"https://evil.com:1@desk.example.com":    false,
		"https://evil.com\\.example.com":         false,
		"http://x.test.example.org":              false,
		"https://*.example.com.example.com/path": false,
		"null":                                   false,
	} {
		resp, _ := s.do(http.MethodPost, "/negotiate?negotiateVersion=1", http.Header{"Origin": {origin}})
		if got := resp.StatusCode == http.StatusOK && resp.Header.Get("Access-Control-Allow-Origin") == origin; got != ok {
			t.Errorf("%s: %s, allowed %q, want allowed: %t", origin, resp.Status, resp.Header.Get("Access-Control-Allow-Origin"), ok)
		}
	}
}

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	for pattern, ok := range map[string]bool{
		"*": true, "null": true, "https://desk.example.com": true, "http://localhost:3000": true, "https://*.example.com": true,
		"https://*.example.com:8443": true, "http://[::1]:3000": true, "capacitor://localhost": true,
		"": false, "desk.example.com": false, "https://": false, "https://desk.example.com/": false, "https://desk.example.com/a": false,
		"https://desk.example.com?x": false, "https://desk.example.com#x": false, "https://*": false, "https://*desk.example.com": false, "https://desk.*.com": false,
		"https://*.*.example.com": false, "https://user@desk.example.com": false, "https://desk.example.com:443": false,
		"http://desk.example.com:80": false, "https://desk.example.com:": false, "https://desk.example.com:x": false,
	} {
		if err := transport.CheckOrigin(pattern); (err == nil) != ok {
			t.Errorf("%q: %v, want good: %t", pattern, err, ok)
		}
	}
}
