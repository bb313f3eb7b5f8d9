package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rte/internal/event"
)

// Bounds of bodies in bytes. A directory has all users of an organization.
const (
	maxBody      = 2 << 20
	maxDirectory = 32 << 20
)

// say answers in JSON.
func say(w http.ResponseWriter, status int, answer any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client has gone
}

func fail(w http.ResponseWriter, status int, text string) {
	say(w, status, struct {
		Error string `json:"error"`
	}{text})
}

// read reads a body of one JSON object. Only application/json is taken: a page
// of another origin cannot send that without being asked whether it may.
// Members that are not known are refused, since a misspelt one would say
// something else than was meant.
func (r *request) read(into any, most int64) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &problem{http.StatusUnsupportedMediaType, "send the body with Content-Type: application/json"}
	}
	d := json.NewDecoder(http.MaxBytesReader(r.w, r.Body, most))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		return bad("the body has something behind the object")
	}
	if err == nil {
		return nil
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", most)}
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return bad(fmt.Sprintf("%s: a %s is not what belongs there (byte %d)", t.Field, t.Value, t.Offset))
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return bad(fmt.Sprintf("the body is no JSON: %v (byte %d)", s, s.Offset))
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return bad("there is no member " + text + "; nothing was changed")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad("the body is empty, or ends too early")
	}
	return bad("the body cannot be read")
}

// An id is a Guid of a body, as it was written.
type id string

// guid reads a Guid that must be there.
func (t id) guid(path string) (event.GUID, error) {
	g, err := event.ParseGUID(string(t))
	switch {
	case t == "":
		return g, bad(path + " is missing")
	case err != nil:
		return g, bad(path + ": " + err.Error())
	case g.IsZero():
		return g, bad(path + ": the zero Guid is nobody's")
	}
	return g, nil
}

// optional reads a Guid that may be left out; then it is zero.
func (t id) optional(path string) (event.GUID, error) {
	if t == "" {
		return event.GUID{}, nil
	}
	return t.guid(path)
}

// guids reads a list; nil stays nil.
func guids(list *[]id, path string) (*[]event.GUID, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]event.GUID, 0, len(*list))
	for i, t := range *list {
		g, err := t.guid(path + "[" + strconv.Itoa(i) + "]")
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return &out, nil
}

// moment reads a date and time, or seconds since 1970 as tokens have them.
func moment(raw json.RawMessage, path string) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if t, ok := event.ParseDateTime([]byte(text)); ok {
			return t.UTC(), nil
		}
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) == nil && string(raw) != "null" && seconds >= 0 && seconds < 253402300800 { // year 10000
		return time.UnixMicro(int64(seconds * 1e6)).UTC(), nil
	}
	return time.Time{}, bad(path + ": wanted a date and time like 2026-11-22T08:00:00Z, or seconds since 1970")
}
