package ops

import (
	"embed"
	"io/fs"
	"net/http"
)

// files are the built pages; `make web` writes them from the folder web.
//
//go:embed all:web
var files embed.FS

// pagePolicy lets a page load its own files and talk to its own server, and
// nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Pages serves the pages (the wallboard) below the path that was stripped
// from the request. They hold no data: everything comes over the hub, with
// the token that the visitor brings.
func Pages() http.Handler {
	server := http.FileServerFS(below("web"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// below is a folder of the built files.
func below(folder string) fs.FS {
	root, err := fs.Sub(files, folder)
	if err != nil {
		panic("ops: built-in files: " + err.Error())
	}
	return root
}
