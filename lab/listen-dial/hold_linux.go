package listendial

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// control does something with the handle of a socket of the kernel.
func control(socket any, do func(fd int) error) error {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return fmt.Errorf("handle of a socket: %w", err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return fmt.Errorf("handle of a socket: %w", err)
	}
	return failed
}

// region hold

// setBacklog changes how many connections a listener of the kernel lets wait:
// listen(2) may be called again.
func setBacklog(l net.Listener, n int) error {
	return control(l, func(fd int) error { return unix.Listen(fd, n) })
}

// deferAccept makes a listener of the kernel keep connections in SYN-RCVD until
// their first byte comes; 0 seconds: not any more.
func deferAccept(l net.Listener, seconds int) error {
	return control(l, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds)
	})
}

// endregion

// info is what the kernel tells of a connection by TCP_INFO.
func info(c net.Conn) (text string, err error) {
	err = control(c, func(fd int) error {
		i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("TCP_INFO: %w", err)
		}
		text = fmt.Sprintf("round trip %s, MSS %d, congestion window %d segments, %d segments not acknowledged, %d sent again",
			time.Duration(i.Rtt)*time.Microsecond, i.Snd_mss, i.Snd_cwnd, i.Unacked, i.Total_retrans)
		return nil
	})
	return text, err
}
