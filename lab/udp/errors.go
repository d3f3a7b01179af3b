package udp

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

var errNoAnswer = errors.New("no answer")

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
func isClosed(err error) bool  { return errors.Is(err, net.ErrClosed) }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
