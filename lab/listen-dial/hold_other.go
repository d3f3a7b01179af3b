//go:build !linux

package listendial

import (
	"errors"
	"net"
)

// What holds states up on the loopback, and what a kernel tells of them, is
// written for Linux.

func setBacklog(net.Listener, int) error  { return errors.ErrUnsupported }
func deferAccept(net.Listener, int) error { return errors.ErrUnsupported }

func info(net.Conn) (string, error) { return "", errors.ErrUnsupported }
