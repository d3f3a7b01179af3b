//go:build !linux

package turnsrv

import "syscall"

// Other systems have SO_REUSEPORT too, but only Linux spreads datagrams by it.
const canReusePort = false

func reusePort(_, _ string, _ syscall.RawConn) error { return nil }
