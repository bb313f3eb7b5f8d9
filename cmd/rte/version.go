package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the build of a release: -ldflags "-X main.version=1.2.3".
var version = "dev"

type versionCmd struct{}

// Run prints one line: version, commit, Go version.
func (versionCmd) Run(s streams) error {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, v := range info.Settings {
			switch {
			case v.Key == "vcs.revision":
				commit = v.Value
			case v.Key == "vcs.modified" && v.Value == "true":
				commit += "+changes"
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "rte %s commit %s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
