// Command rte is the Real-Time Engine: it pushes contact-centre events to
// browsers and native clients over the SignalR protocol.
//
// Each verb is in a file of its own; `rte VERB --help` explains it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

const about = `RTE pushes contact-centre events (user availability, queue status, calls, callbacks) to browsers and native clients the moment they happen. Clients speak SignalR: they connect to the hub at /rte with a token, call Subscribe with [{EntityId, EventName}], and receive MessageReceived.

	see it live       rte demo
	run a node        RTE_JWT_SECRET=… rte serve
	try it by hand    rte serve --ephemeral

Every flag is also an environment variable (--data-dir is RTE_DATA_DIR) and a key of the YAML file given with --config; a flag beats a variable, a variable the file.`

// cli is the command line.
type cli struct {
	Config kong.ConfigFlag `placeholder:"FILE" help:"YAML file of settings, each key named like its flag."`

	Serve   serveCmd   `cmd:"" help:"Run a node."`
	Demo    demoCmd    `cmd:"" help:"Run a node with a simulated contact centre and a wallboard; nothing to configure."`
	Token   tokenCmd   `cmd:"" help:"Make a token, or explain one."`
	Publish publishCmd `cmd:"" help:"Publish events to a node."`
	Listen  listenCmd  `cmd:"" help:"Connect as a client and print each pushed message as one line of JSON."`
	Bench   benchCmd   `cmd:"" help:"Put load on a node, and check that it loses nothing."`
	Catalog catalogCmd `cmd:"" help:"Print the catalogue of events, as a table or as schemas, documents and types."`
	Version versionCmd `cmd:"" help:"Print version, commit and Go version."`
}

// streams are where a verb reads and writes, so that tests can be a terminal.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exitUsage is the exit code for settings and arguments that are wrong.
const exitUsage = 2

// usageError is a mistake of whoever typed the command, or wrote the
// settings.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, s streams) (code int) {
	// The first signal ends politely, the second at once.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)

	exit := -1
	parser, err := kong.New(&cli{},
		kong.Name("rte"),
		kong.Description(about),
		kong.DefaultEnvars("RTE"),
		kong.Configuration(loadSettings),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "rte:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has been answered
		return exit
	}
	if err != nil {
		fmt.Fprintf(s.err, "rte: %v (see rte --help)\n", err)
		return exitUsage
	}
	err = parsed.Run()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRefused):
		return 1 // has been told
	}
	fmt.Fprintln(s.err, "rte:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return 1
}

// errRefused means that events were refused; the summary has said so.
var errRefused = errors.New("events were refused")
