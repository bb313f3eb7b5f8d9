package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"rte/internal/event"
	"rte/internal/event/gen"
)

// documentAge is how long a client may use a document without asking again.
// They change only when a node starts with another program or overlay.
const documentAge = "public, max-age=300"

// A document is made when it is first asked for, and kept.
type document struct {
	contentType string
	made        func() madeDocument // once
}

type madeDocument struct {
	text []byte
	etag string
	err  error
}

func newDocument(contentType string, produce func() ([]byte, error)) *document {
	return &document{contentType, sync.OnceValue(func() madeDocument {
		text, err := produce()
		sum := sha256.Sum256(text)
		return madeDocument{text, `"` + hex.EncodeToString(sum[:16]) + `"`, err}
	})}
}

// documents serves what is made of the catalogue below the path: the AsyncAPI
// and OpenAPI documents and each event's schema. They are for everybody: no
// token, any origin.
func (n *Node) documents(mux *http.ServeMux, path string, o gen.Options) {
	schemas := make(map[string]*document, len(n.cat.Events))
	for _, t := range n.cat.Events {
		schemas[t.Key] = newDocument("application/schema+json", func() ([]byte, error) { return gen.JSONSchema(t) })
	}
	for name, produce := range map[string]func(*event.Catalog, gen.Options) ([]byte, error){
		"asyncapi.json": gen.AsyncAPI,
		"openapi.json":  gen.OpenAPI,
	} {
		d := newDocument("application/json", func() ([]byte, error) { return produce(n.cat, o) })
		n.offer(mux, path+"/"+name, func(*http.Request) *document { return d })
	}
	n.offer(mux, path+"/schemas/{file}", func(r *http.Request) *document {
		name, ok := strings.CutSuffix(r.PathValue("file"), ".json")
		t, known := n.cat.Lookup(name)
		if !ok || !known {
			return nil
		}
		return schemas[t.Key]
	})
}

// offer serves a document at a path.
func (n *Node) offer(mux *http.ServeMux, path string, find func(*http.Request) *document) {
	n.share(mux, sharing{path: path, method: http.MethodGet, open: true, expose: "ETag"}, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		d := find(r)
		if d == nil {
			answer(w, http.StatusNotFound, whyNot{Error: "no such event; the document asyncapi.json has all of them"})
			return
		}
		made := d.made()
		if made.err != nil {
			n.log.Error("document not made", "reason", path, "err", made.err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", d.contentType)
		h.Set("Cache-Control", documentAge)
		h.Set("ETag", made.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(made.text))
	})
}
