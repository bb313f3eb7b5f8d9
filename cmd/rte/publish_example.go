package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rte/internal/event"
)

// sample is the envelope of --example.
func (c *publishCmd) sample() ([]byte, error) {
	cat, err := c.catalog()
	if err != nil {
		return nil, err
	}
	t, ok := cat.Lookup(c.Example)
	if !ok {
		return nil, fmt.Errorf("--example %s: no such event; rte catalog lists them", c.Example)
	}
	if c.Entity == "" {
		return nil, errors.New("--example needs --entity: the Guid that clients subscribe to")
	}
	entity, err := event.ParseGUID(c.Entity)
	if err != nil {
		return nil, fmt.Errorf("--entity: %w", err)
	}
	text := c.Org
	if text == "" {
		text = claimOrg(c.Token)
	}
	org, err := event.ParseGUID(text)
	if err != nil {
		return nil, fmt.Errorf("--org: the token names no organization, so the flag must: %w", err)
	}
	members := t.Sample(org, entity)
	for _, set := range slices.Concat(c.Set, c.Files) {
		name, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: wanted NAME=VALUE", set)
		}
		if members, err = t.SetMember(members, name, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(struct {
		Org    event.GUID      `json:"organizationId"`
		Entity event.GUID      `json:"entityId"`
		Event  string          `json:"eventName"`
		ID     string          `json:"id"`
		Data   json.RawMessage `json:"data"`
	}{org, entity, t.Name, "sample-" + event.NewGUID().String(), event.JoinMembers(members)})
}

// claimOrg reads the organization out of a token without checking it: the
// node does.
func claimOrg(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Org string `json:"org"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Org
}
