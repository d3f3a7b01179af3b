//go:build windows

package lab

import (
	"errors"
	"net/netip"
	"syscall"
)

// localAddr asks a socket for its own IPv4 address.
func localAddr(socket syscall.RawConn) (at netip.AddrPort, err error) {
	failed := socket.Control(func(fd uintptr) {
		var name syscall.Sockaddr
		if name, err = syscall.Getsockname(syscall.Handle(fd)); err != nil {
			return
		}
		in, ok := name.(*syscall.SockaddrInet4)
		if !ok {
			err = errors.ErrUnsupported
			return
		}
		at = netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	})
	return at, errors.Join(failed, err)
}
