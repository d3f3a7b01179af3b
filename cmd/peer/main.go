// Command peer is a Peerlab peer on the command line: it joins a room that
// was opened in a browser and chats, sends and receives files, or measures
// the connection. What it prints on standard output is meant to be piped;
// progress and remarks go to standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
