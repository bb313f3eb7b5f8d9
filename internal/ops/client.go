package ops

import (
	"io/fs"
	"net/http"
	"strings"
)

// Client serves DAClientLib's bundles below the path that was stripped from
// the request. They are the same for everybody and hold no data; pages of any
// origin may load them, as a module, too.
func Client() http.Handler {
	root := below("web/client")
	server := http.FileServerFS(root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, err := fs.Stat(root, strings.TrimPrefix(r.URL.Path, "/")); err != nil || f.IsDir() {
			http.NotFound(w, r) // a folder is not listed
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}
