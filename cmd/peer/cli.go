package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"
)

// The exit codes, as --help tells them.
const (
	exitOK          = 0
	exitUsage       = 1
	exitNoPeer      = 2
	exitConnection  = 3
	exitTransfer    = 4
	exitInterrupted = 130
)

const description = `A Peerlab peer on the command line.

URL is the address of a room, as the browser shows it: https://host/rooms/…

Exit codes: 0 all went well; 1 usage or setup; 2 no such room, or no peer in it in time;
3 the connection failed; 4 a transfer was refused or arrived damaged; 130 interrupted.`

// failure is an error with the exit code it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// options are common to all commands.
type options struct {
	Name           string        `help:"Name that the others see (default: your user name)." placeholder:"NAME"`
	RelayOnly      bool          `help:"Send everything through the relay, so that the others do not learn your address."`
	RelayTransport string        `help:"How to reach the relay: any, udp or tcp." enum:"any,udp,tcp" default:"any"`
	Trace          string        `help:"Write a record of the negotiation to FILE, as JSON." placeholder:"FILE"`
	Timeout        time.Duration `help:"How long to wait for a peer." default:"2m"`
	LogLevel       string        `help:"What to say of the inner works: error, warn, info or debug." enum:"error,warn,info,debug" default:"warn"`
}

type cli struct {
	options
	Join    joinCmd    `cmd:"" help:"Chat: lines in, lines out. /peers lists who is there, /quit leaves."`
	Send    sendCmd    `cmd:"" help:"Send files to one peer. The same command again goes on where it stopped."`
	Receive receiveCmd `cmd:"" help:"Receive files into a directory. Nothing is ever overwritten."`
	Bench   benchCmd   `cmd:"" help:"Measure throughput and round trips to one peer."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
}

// say writes a remark for a person.
func (c *console) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// command is what each subcommand does.
type command interface {
	run(ctx context.Context, o *options, c *console) error
}

// run is the whole program: it parses args, runs the command and returns the
// exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	var cli cli
	c := &console{in: stdin, out: stdout, err: stderr, getenv: getenv}
	exited := false
	parser, err := kong.New(&cli, kong.Name("peer"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 100}))
	if err != nil {
		c.say("peer: %v", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited { // help was asked for, and given
		return exitOK
	}
	if err != nil {
		c.say("peer: %v (peer --help tells more)", err)
		return exitUsage
	}
	commands := map[string]command{"join": &cli.Join, "send": &cli.Send, "receive": &cli.Receive, "bench": &cli.Bench}
	err = commands[parsed.Selected().Name].run(ctx, &cli.options, c)
	return c.exit(ctx, err)
}

// exit says what went wrong and finds the code for it.
func (c *console) exit(ctx context.Context, err error) int {
	switch f, ok := errors.AsType[*failure](err); {
	case ctx.Err() != nil:
		c.say("peer: interrupted")
		return exitInterrupted
	case err == nil:
		return exitOK
	case ok:
		c.say("peer: %v", f)
		return f.code
	}
	c.say("peer: %v", err)
	return exitUsage
}
