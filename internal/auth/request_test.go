package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"rte/internal/auth"
)

func TestToken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		header []string
		query  string
		want   string
	}{
		{"nothing", nil, "", ""},
		{"header", []string{"Bearer abc"}, "", "abc"},
		{"header, small letters", []string{"bearer abc"}, "", "abc"},
		{"header, capitals", []string{"BEARER abc"}, "", "abc"},
		{"header, blanks", []string{"  Bearer   abc "}, "", "abc"},
		{"header without token", []string{"Bearer "}, "", ""},
		{"header without token, query", []string{"Bearer"}, "access_token=q", "q"},
		{"header without scheme", []string{"abc"}, "", ""},
		{"header Bearerabc", []string{"Bearerabc"}, "", ""},
		{"query", nil, "access_token=q", "q"},
		{"query among others", nil, "id=1&access_token=q&x=2", "q"},
		{"query, capitals", nil, "Access_Token=q", "q"},
		{"query, escaped name", nil, "access%5Ftoken=q", "q"},
		{"query, escaped value", nil, "access_token=a%2Eb", "a.b"},
		{"query, value with =", nil, "access_token=a=b", "a=b"},
		{"query, bad escape", nil, "access_token=%zz", ""},
		{"query, bad escape elsewhere", nil, "%zz=1&access_token=q", "q"},
		{"query, semicolon", nil, "access_token=q;x=1", ""},
		{"query, long s", nil, "acce%C5%BFs_token=q", ""},
		{"query, Kelvin sign", nil, "access_to%E2%84%AAen=q", ""},
		{"query, longer name", nil, "access_tokens=q", ""},
		{"query, empty", nil, "access_token=", ""},
		{"query, no value", nil, "access_token", ""},
		{"header wins", []string{"Bearer abc"}, "access_token=q", "abc"},
		{"basic is passed over", []string{"Basic YTpi"}, "access_token=q", "q"},
		{"basic alone", []string{"Basic YTpi"}, "", ""},
		{"two headers", []string{"Bearer abc", "Bearer def"}, "access_token=q", ""},
		{"two headers, equal", []string{"Bearer abc", "Bearer abc"}, "", ""},
		{"two parameters", nil, "access_token=q&ACCESS_TOKEN=r", ""},
		{"two parameters, one empty", nil, "access_token=&access_token=r", ""},
		{"two parameters, header", []string{"Bearer abc"}, "access_token=q&access_token=r", "abc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/rte", nil)
			r.URL.RawQuery = tc.query
			for _, h := range tc.header {
				r.Header.Add("Authorization", h)
			}
			if got := auth.Token(r); got != tc.want {
				t.Errorf("header %q, query %q: got %q, want %q", tc.header, tc.query, got, tc.want)
			}
		})
	}
}
