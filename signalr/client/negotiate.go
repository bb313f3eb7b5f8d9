package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// negotiation is what a hub answers to POST {hub}/negotiate.
type negotiation struct {
	Version    int     `json:"negotiateVersion"`
	ID         string  `json:"connectionId"`
	Token      string  `json:"connectionToken"` // what requests name the connection by; a secret
	Transports []offer `json:"availableTransports"`
	Stateful   bool    `json:"useStatefulReconnect"`

	// A redirect.
	URL         string `json:"url"`
	AccessToken string `json:"accessToken"`

	Error string          `json:"error"`
	Old   json.RawMessage `json:"ProtocolVersion"` // only ASP.NET SignalR has it
}

// offer is a transport that a hub offers.
type offer struct {
	Transport string   `json:"transport"`
	Formats   []string `json:"transferFormats"`
}

const (
	maxNegotiation = 64 << 10 // bytes of an answer
	maxRedirects   = 100      // of one negotiation
	maxStatusText  = 200      // bytes of an error's page that are shown
)

// negotiate asks for a connection, and goes where it is sent. It returns where
// the hub is.
func (c *Client) negotiate(ctx context.Context, at place) (negotiation, place, error) {
	for range maxRedirects + 1 {
		n, err := c.askFor(ctx, at)
		if _, said := errors.AsType[*StatusError](err); said {
			return n, at, err
		}
		if err != nil {
			return n, at, fmt.Errorf("negotiate: %w", err)
		}
		if n.URL == "" {
			return n, at, nil
		}
		if at.url, err = parseHub(n.URL); err != nil {
			return n, at, fmt.Errorf("negotiate: redirected: %w", err)
		}
		if n.AccessToken != "" {
			at.token, at.given = n.AccessToken, true
		}
	}
	return negotiation{}, at, fmt.Errorf("negotiate: %w", ErrRedirects)
}

// askFor makes one request.
func (c *Client) askFor(ctx context.Context, at place) (n negotiation, err error) {
	ctx, cancel := c.step(ctx)
	defer cancel()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
	}()
	target, stateful := c.negotiateURL(at.url)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), http.NoBody)
	if err != nil {
		return n, withoutURL(err)
	}
	r.Header = c.header(at)
	resp, err := c.o.HTTPClient.Do(r)
	if err != nil {
		return n, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxNegotiation+1))
	switch {
	case err != nil:
		return n, err
	case resp.StatusCode != http.StatusOK:
		return n, &StatusError{"negotiate", resp.StatusCode, statusText(resp.StatusCode, body)}
	}
	return parseNegotiation(body, stateful)
}

// negotiateURL is where to negotiate with a hub, and whether that asks for
// stateful reconnect. What the hub's own URL says about either goes first, as
// with released clients.
func (c *Client) negotiateURL(hub *url.URL) (target *url.URL, stateful bool) {
	target = hub.JoinPath("negotiate")
	q := target.Query()
	if !q.Has("negotiateVersion") {
		target = withQuery(target, "negotiateVersion", "1")
	}
	stateful = c.o.StatefulReconnect
	if q.Has("useStatefulReconnect") {
		stateful = q.Get("useStatefulReconnect") == "true"
	} else if stateful {
		target = withQuery(target, "useStatefulReconnect", "true")
	}
	return target, stateful
}

// parseNegotiation reads an answer. One without an error is either a redirect
// or names a connection.
func parseNegotiation(body []byte, stateful bool) (n negotiation, err error) {
	if len(body) > maxNegotiation {
		return n, fmt.Errorf("the answer is longer than %d bytes", maxNegotiation)
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("read answer: %w", err)
	}
	switch {
	case n.Error != "":
		return n, &ServerError{Text: n.Error}
	case len(n.Old) > 0 && string(n.Old) != "null":
		return n, ErrOldServer
	case n.URL != "":
		return n, nil
	case n.Stateful && !stateful:
		return n, errors.New("the server has stateful reconnect, which was not asked for")
	case n.ID == "":
		return n, errors.New("the answer names no connection")
	case n.Version < 1: // the id is the token
		n.Token = n.ID
	case n.Token == "":
		return n, errors.New("the answer has no token for its connection")
	}
	return n, nil
}

// parseHub reads the URL of a hub.
func parseHub(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the hub's URL: %w", withoutURL(err))
	}
	switch u.Scheme {
	case "http", "https":
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	default:
		return nil, fmt.Errorf("read the hub's URL: %q is not http or https", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("read the hub's URL: it names no host")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// withQuery adds to a URL's query, which otherwise keeps its bytes.
func withQuery(u *url.URL, key, value string) *url.URL {
	longer := *u
	if longer.RawQuery != "" {
		longer.RawQuery += "&"
	}
	longer.RawQuery += key + "=" + url.QueryEscape(value)
	return &longer
}

// withoutURL takes the URL out of an HTTP client's error: it holds the
// connection's token, which is a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// statusText is what a page of an error says, on one short line.
func statusText(status int, body []byte) string {
	text := strings.Join(strings.Fields(string(body)), " ")
	if text == "" {
		return http.StatusText(status)
	}
	if len(text) > maxStatusText {
		text = strings.ToValidUTF8(text[:maxStatusText], "") + " …"
	}
	return text
}
