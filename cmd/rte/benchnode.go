package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// An ownNode is a node that the load program starts for one run: another
// process, so that the cost of the one is not the other's.
type ownNode struct {
	dir           string
	secret        string
	public, admin string // addresses
	told          io.Writer
	process       *exec.Cmd
}

func startOwnNode(ctx context.Context, told io.Writer) (*ownNode, error) {
	dir, err := os.MkdirTemp("", "rte-bench-")
	if err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	n := &ownNode{dir: dir, secret: freshSecret(), told: told}
	if n.public, err = freeLoopback(ctx); err == nil {
		n.admin, err = freeLoopback(ctx)
	}
	if err == nil {
		err = n.start(ctx)
	}
	if err != nil {
		n.stop()
		return nil, fmt.Errorf("start a node: %w", err)
	}
	return n, nil
}

func (n *ownNode) url() string      { return "http://" + n.public }
func (n *ownNode) adminURL() string { return "http://" + n.admin }

// freeLoopback is an address that nobody has now.
func freeLoopback(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ownPatience is how long the node may take to be ready.
const ownPatience = 30 * time.Second

// start starts the process, and returns when it is ready.
func (n *ownNode) start(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	n.process = exec.CommandContext(context.WithoutCancel(ctx), exe, "serve", "--listen", n.public, "--admin-listen", n.admin,
		"--data-dir", n.dir, "--drain", "0s", "--pprof", "--log-level", "warn")
	n.process.Env = append(os.Environ(), "RTE_JWT_SECRET="+n.secret)
	n.process.Stdout, n.process.Stderr = n.told, n.told
	if err := n.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ownPatience)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.adminURL()+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(errors.New("it is not ready"), ctx.Err())
		}
	}
}

// restart kills the process, as kill -9 does, and starts another on its
// folder.
func (n *ownNode) restart(ctx context.Context) error {
	n.kill()
	if err := n.start(ctx); err != nil {
		return fmt.Errorf("start the node again: %w", err)
	}
	return nil
}

func (n *ownNode) kill() {
	if n.process != nil && n.process.Process != nil {
		n.process.Process.Kill() //nolint:errcheck // it may have ended
		n.process.Wait()         //nolint:errcheck // it was killed
	}
}

// stop ends the process, and takes its folder away.
func (n *ownNode) stop() {
	n.kill()
	os.RemoveAll(n.dir) //nolint:errcheck // a temporary folder
}
