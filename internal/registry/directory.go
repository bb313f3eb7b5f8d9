package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
)

// A page is a part of one sort of an organization's directory, or its head.
// The whole is more than a message of the store may be, so it is written in
// pages of a new generation, and then the head says that this is the one: who
// reads in the store's order has all pages when the head comes, and never sees
// half of a directory.
type page struct {
	Head    *head   `json:"head,omitempty"`
	Entries []entry `json:"entries,omitempty"`
}

type head struct {
	Generation string `json:"generation"`
	Pages      int    `json:"pages"`
}

type entry struct {
	ID   event.GUID `json:"id"`
	Name string     `json:"name,omitempty"`
}

// Bounds of the directory.
const (
	MaxName   = 256    // bytes of a name
	pageBytes = 256000 // about, as JSON
)

// sorts are those of the directory by their names in keys.
var sorts = [...]auth.Sort{auth.Users, auth.Queues, auth.Lists}

// SetDirectory replaces all entries of one sort of an organization; none means
// that nothing is known of it. When it returns that holds on this node, and on
// the others within moments. Errors wrap [event.ErrUnavailable].
func (r *Registry) SetDirectory(ctx context.Context, org event.GUID, s auth.Sort, entries []auth.Entry) error {
	place := org.String() + "." + s.String()
	h := head{Generation: strconv.FormatInt(r.o.Now().UnixNano(), 36) + "-" + rand.Text()}
	var part []entry
	bytes := 0
	put := func() error {
		err := r.directory.kv.Put(ctx, pageKey(place, h.Generation, h.Pages), page{Entries: part})
		h.Pages++
		part, bytes = nil, 0
		return err
	}
	for _, e := range entries {
		part = append(part, entry{e.ID, e.Name})
		if bytes += 60 + 2*len(e.Name); bytes > pageBytes {
			if err := put(); err != nil {
				return err
			}
		}
	}
	if len(part) > 0 {
		if err := put(); err != nil {
			return err
		}
	}
	var before head
	err := r.directory.change(ctx, place, func(was page, _ bool) (page, bool, error) {
		if before = (head{}); was.Head != nil {
			before = *was.Head
		}
		return page{Head: &h}, false, nil
	})
	if err != nil {
		return err
	}
	for n := range before.Pages {
		if err := r.directory.kv.Delete(ctx, pageKey(place, before.Generation, n)); err != nil {
			r.o.Logger.Warn("an old page of the directory stays", "org", org, "err", err) // until it is swept
		}
	}
	return nil
}

func pageKey(place, generation string, n int) string {
	return place + "." + generation + "." + strconv.Itoa(n)
}

func (r *Registry) takePage(e bus.Entry[page]) {
	var org event.GUID
	rest, err := idsOf(e.Key, &org)
	name, behind, isPage := strings.Cut(rest, ".")
	at := -1
	for i, s := range sorts {
		if s.String() == name {
			at = i
		}
	}
	if err != nil || at < 0 {
		r.strange("directory", e.Key)
		return
	}
	r.mu.Lock()
	if isPage {
		if delete(r.pages, e.Key); !e.Deleted && behind != "" {
			r.pages[e.Key] = e.Value
		}
		r.mu.Unlock()
		return
	}
	entries, err := r.bind(e)
	r.mu.Unlock()
	if err != nil {
		r.o.Logger.Error("the directory stays as it was", "org", org, "err", err)
		return
	}
	r.o.Directory.Set(org, sorts[at], entries)
	r.o.Reconsider(org, event.GUID{})
}

// bind takes the pages that a head names. mu is held.
func (r *Registry) bind(e bus.Entry[page]) ([]auth.Entry, error) {
	if e.Deleted {
		return nil, nil
	}
	h := e.Value.Head
	if h == nil {
		return nil, errors.New("a head without a generation")
	}
	var entries []auth.Entry
	for n := range h.Pages {
		k := pageKey(e.Key, h.Generation, n)
		p, ok := r.pages[k]
		if !ok {
			return nil, fmt.Errorf("page %d of %d is missing", n+1, h.Pages)
		}
		delete(r.pages, k)
		for _, e := range p.Entries {
			entries = append(entries, auth.Entry{ID: e.ID, Name: e.Name})
		}
	}
	return entries, nil
}

// pageAge is how long a page may wait for its head: whoever wrote it has gone.
const pageAge = time.Hour

// sweepPages forgets pages that no head has named.
func (r *Registry) sweepPages(ctx context.Context) error {
	r.mu.Lock()
	var old []string
	for k := range r.pages {
		generation, _, _ := strings.Cut(strings.Join(strings.SplitN(k, ".", 3)[2:], ""), "-")
		if at, err := strconv.ParseInt(generation, 36, 64); err != nil || r.o.Now().Sub(time.Unix(0, at)) > pageAge {
			old = append(old, k)
		}
	}
	r.mu.Unlock()
	var errs []error
	for _, k := range old {
		errs = append(errs, r.directory.kv.Delete(ctx, k))
	}
	return errors.Join(errs...)
}
