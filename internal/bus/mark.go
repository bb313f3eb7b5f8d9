package bus

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// markName is the file in a data folder that says how its store was made. A
// server that opens the store of another mode would throw its streams away.
const markName = "rte.store"

// A mark says how a store was made.
type mark struct {
	Cluster string `json:"cluster"` // its name; "" is a server alone
	Server  string `json:"server"`  // the node's name in it
}

// settle compares the folder with the settings and gives the server's name in
// its cluster. A folder that is new is marked.
func (f *folder) settle(c Cluster) (server string, err error) {
	if f.lock == nil { // a temporary one
		return "", nil
	}
	is, err := f.mark()
	switch {
	case errors.Is(err, fs.ErrNotExist) && (!f.made() || !c.used()):
		// Folders from before there were marks are of servers alone.
		is = mark{Cluster: c.Name, Server: c.Server}
		if c.used() && is.Server == "" {
			is.Server = "rte-" + strings.ToLower(rand.Text()[:10])
		}
		return is.Server, f.write(is)
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrFolder, err)
	}
	switch {
	case is.Cluster == c.Name && (c.Server == "" || c.Server == is.Server):
		return is.Server, nil
	case is.Cluster == c.Name:
		return "", fmt.Errorf("%w: %s belongs to the cluster's node %s, not %s; leave the name out, or choose another folder", ErrFolder, f.path, is.Server, c.Server)
	case is.Cluster == "":
		return "", fmt.Errorf("%w: %s was made by a node alone, and a cluster would throw its events away; choose an empty folder for the cluster (--data-dir), or leave --cluster-name out", ErrFolder, f.path)
	case !c.used():
		return "", fmt.Errorf("%w: %s was made by a node of the cluster %s, and a node alone would throw its events away; choose another folder (--data-dir), or set --cluster-name and what goes with it", ErrFolder, f.path, is.Cluster)
	}
	return "", fmt.Errorf("%w: %s was made by a node of the cluster %s, not %s; choose another folder (--data-dir) or that name", ErrFolder, f.path, is.Cluster, c.Name)
}

func (f *folder) mark() (m mark, err error) {
	text, err := os.ReadFile(filepath.Join(f.path, markName))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s says nothing readable of how the store was made (%w); put it back, or choose another folder", filepath.Join(f.path, markName), err)
	}
	return m, nil
}

// write marks the folder: all at once, or not at all.
func (f *folder) write(m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := filepath.Join(f.path, markName)
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o600); err != nil {
		return notWritable(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return notWritable(err)
	}
	return nil
}

// made tells whether there is a store in the folder.
func (f *folder) made() bool {
	entries, err := os.ReadDir(f.storePath())
	return err == nil && len(entries) > 0
}
