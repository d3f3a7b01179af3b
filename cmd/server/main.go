// Command server is Peerlab: the web pages, the signaling, the STUN/TURN relay
// and the port mapping in one program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, errHelp):
	default:
		fmt.Fprintln(os.Stderr, "peerlab:", err)
		os.Exit(1)
	}
}
