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

// negotiation is what the hub offers.
type negotiation struct {
	ID    string `json:"connectionId"`
	Token string `json:"connectionToken"`
	Error string `json:"error"`
}

// A StatusError is a hub's refusal by HTTP.
type StatusError struct {
	Act    string // what was tried
	Status int
	Text   string // the body, or the status in words
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.Act, e.Status, e.Text)
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
	u.Path, u.RawPath, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", ""
	return u, nil
}

func (c *Client) negotiate(ctx context.Context, hub *url.URL, header http.Header) (n negotiation, err error) {
	target := hub.JoinPath("negotiate")
	q := target.Query()
	q.Set("negotiateVersion", "1")
	target.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), http.NoBody)
	if err != nil {
		return n, fmt.Errorf("negotiate: %w", withoutURL(err))
	}
	r.Header = header.Clone()
	resp, err := c.o.HTTPClient.Do(r)
	if err != nil {
		return n, fmt.Errorf("negotiate: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return n, fmt.Errorf("negotiate: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return n, &StatusError{"negotiate", resp.StatusCode, statusText(resp.StatusCode, body)}
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("negotiate: read answer: %w", err)
	}
	switch {
	case n.Error != "":
		return n, fmt.Errorf("negotiate: %w", &ServerError{Text: n.Error})
	case n.ID == "":
		return n, errors.New("negotiate: the answer names no connection")
	case n.Token == "": // version 0: the id is the token
		n.Token = n.ID
	}
	return n, nil
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

// maxStatusText is how much of an error's page is shown, in bytes.
const maxStatusText = 200
