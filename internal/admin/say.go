package admin

import (
	"encoding/json"
	"fmt"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/registry"
)

// ahead is how far issuedBefore may lie in the future: clocks differ.
const ahead = time.Minute

// revoke serves POST /admin/v1/revocations.
func (h *Handler) revoke(r *request) (any, error) {
	var body struct {
		User         id              `json:"user"`
		Org          id              `json:"org"`
		ID           string          `json:"jti"`
		IssuedBefore json.RawMessage `json:"issuedBefore"`
	}
	if err := r.read(&body, maxBody); err != nil {
		return nil, err
	}
	var s auth.Selection
	var err error
	if s.User, err = body.User.optional("user"); err != nil {
		return nil, err
	}
	if s.Org, err = body.Org.optional("org"); err != nil {
		return nil, err
	}
	if s.ID = body.ID; len(s.ID) > auth.MaxIDBytes {
		return nil, bad(fmt.Sprintf("jti: longer than %d bytes, and no token of such an id is taken", auth.MaxIDBytes))
	}
	if s == (auth.Selection{}) {
		return nil, bad("say whose tokens: at least one of user, org and jti; of several all must match")
	}
	now := time.Now()
	before := now
	if body.IssuedBefore != nil {
		if before, err = moment(body.IssuedBefore, "issuedBefore"); err != nil {
			return nil, err
		}
		if before.After(now.Add(ahead)) {
			return nil, bad("issuedBefore lies in the future: tokens that are yet to be issued would be refused")
		}
	}
	r.logAbout("user", s.User)
	r.logAbout("org", s.Org)
	closed, missing, err := h.o.Registry.Revoke(r.Context(), s, before)
	if err != nil {
		return nil, err
	}
	r.about = append(r.about, "closed", closed)
	return struct {
		Closed  int `json:"closed"`
		Missing int `json:"nodesMissing,omitempty"`
	}{closed, missing}, nil
}

// done is the answer where there is nothing to tell.
type done struct{}

// setRights serves POST /admin/v1/rights.
func (h *Handler) setRights(r *request) (any, error) {
	var body struct {
		Org    id      `json:"organizationId"`
		User   id      `json:"userId"`
		Role   *string `json:"role"`
		Queues *[]id   `json:"queues"`
		Lists  *[]id   `json:"lists"`
		Users  *[]id   `json:"users"`
		Reset  bool    `json:"reset"`
	}
	if err := r.read(&body, maxBody); err != nil {
		return nil, err
	}
	org, err := body.Org.guid("organizationId")
	if err != nil {
		return nil, err
	}
	user, err := body.User.guid("userId")
	if err != nil {
		return nil, err
	}
	r.logAbout("user", user)
	r.logAbout("org", org)
	c := registry.Change{Reset: body.Reset}
	if body.Role != nil {
		role, ok := auth.ParseRole(*body.Role)
		if !ok || role > auth.Supervisor {
			return nil, bad("role: one of user, groupmanager, supervisor")
		}
		c.Role = &role
	}
	for _, part := range []struct {
		from *[]id
		to   **[]event.GUID
		path string
	}{{body.Queues, &c.Queues, "queues"}, {body.Lists, &c.Lists, "lists"}, {body.Users, &c.Users, "users"}} {
		if *part.to, err = guids(part.from, part.path); err != nil {
			return nil, err
		}
	}
	says := c.Role != nil || c.Queues != nil || c.Lists != nil || c.Users != nil
	switch {
	case says && c.Reset:
		return nil, bad("reset gives everything back to the token; set rights in another request")
	case !says && !c.Reset:
		return nil, bad("say what changes: role, queues, lists, users, or reset: true")
	}
	return done{}, h.o.Registry.SetRights(r.Context(), org, user, c)
}

// setList serves POST /admin/v1/lists.
func (h *Handler) setList(r *request) (any, error) {
	var body struct {
		Org          id     `json:"organizationId"`
		List         id     `json:"callListId"`
		Name         string `json:"name"`
		AutoAllocate *bool  `json:"isAutoAllocate"`
		Agents       *[]id  `json:"agents"`
	}
	if err := r.read(&body, maxBody); err != nil {
		return nil, err
	}
	org, err := body.Org.guid("organizationId")
	if err != nil {
		return nil, err
	}
	list, err := body.List.guid("callListId")
	if err != nil {
		return nil, err
	}
	r.logAbout("entity", list)
	r.logAbout("org", org)
	agents, err := guids(body.Agents, "agents")
	switch {
	case err != nil:
		return nil, err
	case body.AutoAllocate == nil || agents == nil:
		return nil, bad("a list is replaced as a whole: isAutoAllocate and agents (an array, may be empty) must be there")
	case len(body.Name) > registry.MaxName:
		return nil, bad(fmt.Sprintf("name: longer than %d bytes", registry.MaxName))
	}
	return done{}, h.o.Registry.SetList(r.Context(), org, list, registry.CallList{Name: body.Name, AutoAllocate: *body.AutoAllocate, Agents: *agents})
}

// setDirectory serves POST /admin/v1/directory.
func (h *Handler) setDirectory(r *request) (any, error) {
	type named struct {
		ID   id     `json:"id"`
		Name string `json:"name"`
	}
	var body struct {
		Org    id       `json:"organizationId"`
		Users  *[]named `json:"users"`
		Queues *[]named `json:"queues"`
		Lists  *[]named `json:"lists"`
	}
	if err := r.read(&body, maxDirectory); err != nil {
		return nil, err
	}
	org, err := body.Org.guid("organizationId")
	if err != nil {
		return nil, err
	}
	r.logAbout("org", org)
	parts := map[auth.Sort][]auth.Entry{}
	for s, list := range map[auth.Sort]*[]named{auth.Users: body.Users, auth.Queues: body.Queues, auth.Lists: body.Lists} {
		if list == nil {
			continue
		}
		parts[s] = make([]auth.Entry, 0, len(*list))
		for i, n := range *list {
			g, err := n.ID.guid(fmt.Sprintf("%s[%d].id", s, i))
			if err != nil {
				return nil, err
			}
			if len(n.Name) > registry.MaxName {
				return nil, bad(fmt.Sprintf("%s[%d].name: longer than %d bytes", s, i, registry.MaxName))
			}
			parts[s] = append(parts[s], auth.Entry{ID: g, Name: n.Name})
		}
	}
	if len(parts) == 0 {
		return nil, bad("say what there is: users, queues or lists, each an array of {id, name} and the whole of its sort")
	}
	for s, entries := range parts {
		if err := h.o.Registry.SetDirectory(r.Context(), org, s, entries); err != nil {
			return nil, err
		}
	}
	return done{}, nil
}
