package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
)

// front is what every public request goes through first.
func front(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer survive(log)
		if crooked(r.URL) {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crooked tells whether a path is another spelling of one: what stands in
// front of RTE and lets some paths through must not see another than RTE does.
// The standard multiplexer would redirect there, token and all.
func crooked(u *url.URL) bool {
	raw := strings.ToLower(u.EscapedPath())
	return strings.Contains(u.Path, "//") || strings.Contains(u.Path, `\`) ||
		strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../") ||
		strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") || strings.Contains(raw, "%00")
}

// survive ends a request whose handler has panicked: its connection is cut,
// and nothing else. net/http would log the panic's value as it is, which may
// be of the request; here what looks like a token is taken out.
func survive(log *slog.Logger) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		log.Error("request panicked", "err", scrub(fmt.Sprint(p)), "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

// scrub takes out of a text what follows a token's name, and every run of
// characters that a piece of a token could be.
func scrub(text string) string {
	text = regexp.MustCompile(`(?i)(access(?:_|%5f)token(?:=|%3d)|bearer\s+)[^\s"'&,}\]]+`).ReplaceAllString(text, "$1…")
	return regexp.MustCompile(`[\w%-]{20,}`).ReplaceAllString(text, "…")
}
