package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestPublishInTerminal: a person sees a bar.
func TestPublishInTerminal(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	var lines strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":%q,"eventName":"QueueCallInArrived","data":{"legId":"%d"}}`+"\n", i.Org, queueText, n)
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	master, slave := terminal(t)
	seen := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(master) // ends with EIO when the other side is closed
		seen <- all
	}()
	code := run(t.Context(), []string{"publish", "--url", i.URL, "--token", i.Token, file}, streams{strings.NewReader(""), slave, slave})
	slave.Close()
	all := <-seen
	if code != 0 || !bytes.Contains(all, []byte(clearLine+"[#")) || !bytes.Contains(all, []byte(clearLine+"20000 accepted, 0 refused of 20000 lines")) {
		t.Errorf("code %d; the terminal shows %q", code, all)
	}
}

// terminal opens both sides of a pseudo-terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	ioctl := func(request uintptr, arg *int32) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	var unlock, number int32
	ioctl(syscall.TIOCSPTLCK, &unlock)
	ioctl(syscall.TIOCGPTN, &number)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
