package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrFolder means that the data folder cannot be used as it is: a matter for
// whoever started the program. The text around it says what to do.
var ErrFolder = errors.New("data folder cannot be used")

// errLocked: somebody else holds the lock file.
var errLocked = errors.New("locked")

// lockName is the file whose lock tells that the folder is in use. The lock
// belongs to the open file, so it goes with the process, however that ends.
const lockName = "rte.lock"

// A folder is where the embedded server keeps its files, locked while open.
type folder struct {
	path  string
	lock  *os.File // nil for a temporary folder
	store *os.File // the server's part of it; nil for a temporary folder

	server string // the server's name in its cluster, once settled
}

// openFolder makes the folder if missing and locks it. "" makes a temporary
// one: JetStream wants a folder for its own files even when all streams are
// in memory.
func openFolder(path string) (*folder, error) {
	if path == "" {
		tmp, err := os.MkdirTemp("", "rte-bus-")
		if err != nil {
			return nil, fmt.Errorf("%w: no temporary folder (%w); let this user write to %s or set TMPDIR", ErrFolder, err, os.TempDir())
		}
		return &folder{path: tmp}, nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; name it by its full path", ErrFolder, err)
	}
	// Payloads hold phone numbers and names: nobody else may read them.
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, notWritable(err)
	}
	lock, err := openLocked(filepath.Join(abs, lockName))
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("%w: %s is open in another process; stop that one or choose another folder", ErrFolder, abs)
	case err != nil:
		return nil, notWritable(err)
	}
	f := &folder{path: abs, lock: lock}
	if err := f.probe(); err != nil {
		_ = f.close()
		return nil, notWritable(err)
	}
	if f.store, err = os.Open(f.storePath()); err != nil {
		_ = f.close()
		return nil, notWritable(err)
	}
	return f, nil
}

func (f *folder) storePath() string { return filepath.Join(f.path, server.JetStreamStoreDir) }

// gone tells whether the folder was removed. The files that the server holds
// open would still take what is written, and it would be lost with the process.
func (f *folder) gone() bool {
	return f != nil && f.lock != nil && (removed(f.lock) || f.store != nil && removed(f.store))
}

// probe tries to write where the server will, as much as a message may be:
// files of another user may be left from an earlier start, the disk may be full.
func (f *folder) probe() error {
	store := f.storePath()
	if err := os.MkdirAll(store, 0o700); err != nil {
		return err
	}
	p, err := os.CreateTemp(store, "probe-")
	if err != nil {
		return err
	}
	_, err = p.Write(make([]byte, probeBytes))
	return errors.Join(err, p.Close(), os.Remove(p.Name()))
}

const probeBytes = 128 << 10

// notWritable names the path from inside err, which may be a parent's.
func notWritable(err error) error {
	return fmt.Errorf("%w: %w; let this user write there or choose another folder", ErrFolder, err)
}

// close gives the folder back; a temporary one is removed.
func (f *folder) close() error {
	if f.lock == nil {
		return os.RemoveAll(f.path)
	}
	if f.store != nil {
		_ = f.store.Close() // it was only looked at
	}
	return f.lock.Close()
}
