package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// owner tells which of some processes holds the end of a TCP connection over
// loopback that has a port: the kernel's list of connections names the socket,
// and each process's folder the sockets it has open.
func owner(port int, pids []int) (index int, ok bool) {
	inode, ok := inodeOf(port)
	if !ok {
		return 0, false
	}
	for i, pid := range pids {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+inode+"]" {
				return i, true
			}
		}
	}
	return 0, false
}

// inodeOf is the socket that is connected from a port of loopback.
func inodeOf(port int) (inode string, ok bool) {
	const (
		local, state, node = 1, 3, 9     // columns
		established        = "01"        // a listener of the same port is none
		loopback           = "0100007F:" // as the kernel writes it
	)
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", false
	}
	defer table.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(table); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) <= node || f[state] != established {
			continue
		}
		at, here := strings.CutPrefix(f[local], loopback)
		if n, err := strconv.ParseUint(at, 16, 16); here && err == nil && int(n) == port {
			return f[node], true
		}
	}
	return "", false
}
