package auth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keyFileAge is how long a file is not looked at again, while its keys
	// fit the tokens that come.
	keyFileAge = time.Second
	// maxKeyFile is the largest file of keys, in bytes.
	maxKeyFile = 1 << 20
)

// A keyFile is a PEM file of public keys. A file that is bad or half written
// leaves the keys as they were, and is tried again.
type keyFile struct {
	path string
	log  *slog.Logger
	list atomic.Pointer[[]key]

	checked atomic.Int64 // when the file was last looked at, in ns since 1970

	mu    sync.Mutex
	stamp fileStamp // of the file that list came from
	bad   fileStamp // of the file that was last complained about
	said  bool      // it was complained about
}

// A fileStamp changes when a file does.
type fileStamp struct {
	time time.Time
	size int64
}

func newKeyFile(path string, log *slog.Logger) (*keyFile, error) {
	f := &keyFile{path: path, log: log}
	stamp, err := f.stat()
	if err != nil {
		return nil, err
	}
	if err := f.read(stamp); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *keyFile) stat() (fileStamp, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return fileStamp{}, err
	}
	return fileStamp{info.ModTime(), info.Size()}, nil
}

func (f *keyFile) read(stamp fileStamp) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxKeyFile {
		return fmt.Errorf("%s: more than %d bytes", f.path, maxKeyFile)
	}
	list, err := parsePEM(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	for i := range list {
		list[i].name = "public key " + strconv.Itoa(i+1) + " of " + f.path
	}
	f.list.Store(&list)
	f.stamp = stamp
	f.checked.Store(time.Now().UnixNano())
	return nil
}

func (f *keyFile) keys() []key {
	if time.Now().UnixNano()-f.checked.Load() > int64(keyFileAge) {
		f.look()
	}
	return *f.list.Load()
}

// renew looks at the file at once: a token may come that was signed with a key
// that has just been put there.
func (f *keyFile) renew(_ context.Context, h *header, have []key) (bool, error) {
	if h.alg.symmetric() {
		return false, nil
	}
	f.look()
	return &(*f.list.Load())[0] != &have[0], nil
}

func (f *keyFile) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked.Store(time.Now().UnixNano())
	stamp, err := f.stat()
	if err == nil && stamp == f.stamp {
		return
	}
	if err == nil {
		if err = f.read(stamp); err == nil {
			f.said = false
			f.log.Info("public keys read again", "reason", "the file has changed")
			return
		}
	}
	if !f.said || stamp != f.bad {
		f.said, f.bad = true, stamp
		f.log.Error("the new public keys cannot be used; the old ones stay", "err", err)
	}
}
