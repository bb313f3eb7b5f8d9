package bus

import (
	"errors"
	"os"
	"syscall"
)

// openLocked opens or makes a file that nobody else can open this way until
// it is closed, also by the end of the process; errLocked if somebody has.
// Windows keeps the promise by itself when no sharing is allowed.
func openLocked(path string) (*os.File, error) {
	const sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// removed tells whether an open file or folder has no name any more: Windows
// does not let that happen.
func removed(*os.File) bool { return false }
