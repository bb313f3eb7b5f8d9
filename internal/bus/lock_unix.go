//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package bus

import (
	"errors"
	"os"
	"syscall"
)

// openLocked opens or makes a file that nobody else can open this way until
// it is closed, also by the end of the process; errLocked if somebody has.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// removed tells whether an open file or folder has no name any more.
func removed(f *os.File) bool {
	var s syscall.Stat_t
	err := syscall.Fstat(int(f.Fd()), &s)
	return err == nil && s.Nlink == 0
}
