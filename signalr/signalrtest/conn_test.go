package signalrtest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/signalrtest"
)

func TestConnCarriesBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := signalrtest.Pipe(100)
		data := bytes.Repeat([]byte("0123456789"), 1000)
		go func() {
			if n, err := a.Write(data); n != len(data) || err != nil {
				t.Errorf("Write = %d, %v, want %d", n, err, len(data))
			}
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, %v, want %d", len(got), err, len(data))
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write to a closed end = %v, want %v", err, syscall.EPIPE)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read on the closed end = %v, want %v", err, net.ErrClosed)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write on the closed end = %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestConnTryWrite(t *testing.T) {
	t.Parallel()
	a, b := signalrtest.Pipe(10)
	for _, want := range []int{7, 3, 0} {
		if n, err := a.TryWrite([]byte("1234567")); n != want || err != nil {
			t.Errorf("TryWrite = %d, %v, want %d", n, err, want)
		}
	}
	if n, err := b.Read(make([]byte, 4)); n != 4 || err != nil {
		t.Errorf("Read = %d, %v, want 4", n, err)
	}
	if n, err := a.TryWrite([]byte("1234567")); n != 4 || err != nil {
		t.Errorf("TryWrite = %d, %v, want 4", n, err)
	}
	b.Close()
	if _, err := a.TryWrite([]byte("1")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("TryWrite to a closed end = %v, want %v", err, syscall.EPIPE)
	}
}

func TestConnCloseWrite(t *testing.T) {
	t.Parallel()
	a, b := signalrtest.Pipe(0)
	if _, err := a.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	a.CloseWrite()
	got, err := io.ReadAll(b)
	if string(got) != "last" || err != nil {
		t.Errorf("read %q, %v, want last", got, err)
	}
	if _, err := b.Write([]byte("answer")); err != nil {
		t.Errorf("Write the other way: %v", err)
	}
	if n, err := a.Read(make([]byte, 10)); n != 6 || err != nil {
		t.Errorf("Read = %d, %v, want 6", n, err)
	}
}

func TestConnDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := signalrtest.Pipe(1)
		defer b.Close()
		begin := time.Now()
		took := func(name string, want time.Duration, err error) {
			t.Helper()
			if got := time.Since(begin); got != want || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v after %v, want a timeout after %v", name, err, got, want)
			}
			begin = time.Now()
		}
		one := make([]byte, 1)
		a.SetReadDeadline(time.Now().Add(time.Second))
		_, err := a.Read(one)
		took("Read", time.Second, err)
		_, err = a.Read(one)
		took("Read behind the deadline", 0, err)
		a.SetDeadline(time.Now().Add(time.Second))
		n, err := a.Write([]byte("12"))
		took("Write", time.Second, err)
		if n != 1 {
			t.Errorf("Write = %d, want the 1 byte that there was room for", n)
		}
		_, err = a.TryWrite([]byte("1"))
		took("TryWrite behind the deadline", 0, err)
		a.SetReadDeadline(time.Now().Add(time.Hour))
		go func() {
			<-time.After(time.Minute)
			a.SetReadDeadline(time.Now()) // moves it under a waiting read
		}()
		_, err = a.Read(one)
		took("Read with a moved deadline", time.Minute, err)
		a.SetDeadline(time.Time{})
		go func() {
			<-time.After(time.Minute)
			b.Write([]byte("x"))
		}()
		if n, err := a.Read(one); n != 1 || err != nil {
			t.Errorf("Read without a deadline = %d, %v, want 1", n, err)
		}
	})
}
