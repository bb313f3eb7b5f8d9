package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An endpoint is an address that RTE asks: where an issuer publishes its keys,
// or the platform's resolver. What is trusted there must come over TLS; only
// on loopback it may do without.
type endpoint struct {
	url    string
	client *http.Client
	bearer string // sent as Authorization, or ""
	limit  int64  // bytes of an answer, after decompression
}

// connectTimeout is for the network and TLS; the caller's context bounds the
// whole.
const connectTimeout = 2 * time.Second

// newEndpoint checks an address. rt is the way there; nil makes one of its
// own. Errors name no more of the address than scheme and host: the rest may
// be a secret.
func newEndpoint(address string, limit int64, rt http.RoundTripper) (*endpoint, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Host == "", u.Opaque != "":
		return nil, errors.New("the address is no URL such as https://host/path")
	case u.User != nil:
		return nil, errors.New("the address carries a password: it would be in logs and process lists")
	case !safe(u):
		return nil, fmt.Errorf("%s://%s is not https, and not on loopback", u.Scheme, u.Host)
	}
	if rt == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
		t.TLSHandshakeTimeout = connectTimeout
		t.MaxIdleConnsPerHost = maxAsking
		rt = t
	}
	e := &endpoint{url: address, limit: limit}
	e.client = &http.Client{Transport: rt, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case r.Method != http.MethodGet || via[0].Method != http.MethodGet:
			return errors.New("a POST is not sent on to another address")
		case len(via) > 3:
			return errors.New("more than 3 redirects")
		case r.URL.Scheme != "https" && (!safe(r.URL) || via[0].URL.Scheme == "https"):
			return errors.New("a redirect away from https")
		}
		return nil
	}}
	return e, nil
}

// safe tells whether nobody on the way can change what is sent.
func safe(u *url.URL) bool {
	if u.Scheme != "http" {
		return u.Scheme == "https"
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// An answered request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request; a nil body means GET, else it is POSTed as JSON.
func (e *endpoint) ask(ctx context.Context, body []byte) (reply, error) {
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if body != nil {
		method, content = http.MethodPost, bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, e.url, content)
	if err != nil {
		return reply{}, plain(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "rte")
	if e.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+e.bearer)
	}
	resp, err := e.client.Do(r)
	if err != nil {
		return reply{}, plain(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, e.limit+1))
	if err != nil {
		return reply{}, plain(err)
	}
	if int64(len(text)) > e.limit {
		return reply{}, fmt.Errorf("the answer is larger than %d bytes", e.limit)
	}
	return reply{resp.StatusCode, resp.Header, text}, nil
}

// plain takes the address out of an error of net/http.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// maxAge is what an answer's Cache-Control allows, 0 if it does not say.
func (r *reply) maxAge() time.Duration {
	for part := range strings.SplitSeq(r.header.Get("Cache-Control"), ",") {
		if text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "max-age="); ok {
			if d, err := time.ParseDuration(strings.Trim(text, `"`) + "s"); err == nil {
				return d
			}
		}
	}
	return 0
}

// close gives idle connections back.
func (e *endpoint) close() { e.client.CloseIdleConnections() }
