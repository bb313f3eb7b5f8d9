package signalrtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/signalrtest"
)

func TestServerInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := signalrtest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Hour)
			io.Copy(w, r.Body)
		}))
		begin := time.Now()
		resp, err := s.Client().Post(s.URL+"/x", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if string(body) != "hello" || err != nil || time.Since(begin) != time.Hour {
			t.Errorf("got %q, %v after %v, want hello after an hour", body, err, time.Since(begin))
		}
		s.Close()
		if _, err := s.Client().Get(s.URL); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Get behind Close = %v, want %v", err, syscall.ECONNREFUSED)
		}
		if _, err := s.Dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial behind Close = %v, want %v", err, syscall.ECONNREFUSED)
		}
	})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n signalrtest.Network
		l, err := n.Listen("a:1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Listen("a:1"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second Listen = %v, want %v", err, syscall.EADDRINUSE)
		}
		if l.Addr().String() != "a:1" || l.Addr().Network() != "memory" {
			t.Errorf("Addr = %v, want a:1", l.Addr())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "tcp", "a:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial while nobody accepts = %v, want %v", err, context.DeadlineExceeded)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			c.Write([]byte(c.RemoteAddr().String()))
			c.Close()
		}()
		c, err := n.Dial(t.Context(), "tcp", "a:1")
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(c)
		if string(got) != c.LocalAddr().String() || c.RemoteAddr().String() != "a:1" {
			t.Errorf("the server sees %q, want %v", got, c.LocalAddr())
		}
		go l.Close()
		if _, err := n.Dial(t.Context(), "tcp", "a:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial of a closing listener = %v, want %v", err, syscall.ECONNREFUSED)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("Accept behind Close: no error")
		}
		l.Close()
		if l, err := n.Listen("a:1"); err != nil {
			t.Errorf("Listen again: %v", err)
		} else {
			l.Close()
		}
	})
}
