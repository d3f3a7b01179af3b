package netsim

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
)

var (
	// ErrConfig is returned for a value out of its limits; the text names it.
	ErrConfig = errors.New("netsim: bad configuration")
	// ErrHost is returned for a host name that can't be used or isn't there.
	ErrHost = errors.New("netsim: bad host name")
	// ErrFull is returned when the net has all the hosts, or pending drops, it may have.
	ErrFull = errors.New("netsim: full")
)

// stackErrors pairs what the stack says with what the same failure is called
// on a socket of the kernel, so that errors.Is works as it does there.
var stackErrors = []struct {
	stack tcpip.Error
	plain error
}{
	{&tcpip.ErrConnectionRefused{}, syscall.ECONNREFUSED},
	{&tcpip.ErrConnectionReset{}, syscall.ECONNRESET},
	{&tcpip.ErrConnectionAborted{}, syscall.ECONNABORTED},
	{&tcpip.ErrTimeout{}, syscall.ETIMEDOUT},
	{&tcpip.ErrNetworkUnreachable{}, syscall.ENETUNREACH},
	{&tcpip.ErrHostUnreachable{}, syscall.EHOSTUNREACH},
	{&tcpip.ErrPortInUse{}, syscall.EADDRINUSE},
	{&tcpip.ErrNoPortAvailable{}, syscall.EADDRNOTAVAIL},
	{&tcpip.ErrBadLocalAddress{}, syscall.EADDRNOTAVAIL},
	{&tcpip.ErrClosedForSend{}, syscall.EPIPE},
	{&tcpip.ErrMessageTooLong{}, syscall.EMSGSIZE},
	{&tcpip.ErrNoBufferSpace{}, syscall.ENOBUFS},
	{&tcpip.ErrNotConnected{}, syscall.ENOTCONN},
	{&tcpip.ErrBroadcastDisabled{}, syscall.EACCES},
	{&tcpip.ErrAborted{}, net.ErrClosed}, // the net was closed
	{&tcpip.ErrInvalidEndpointState{}, net.ErrClosed},
}

// fault is a failure of the stack as an error of the usual kind.
func fault(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return faultText(err.String())
}

// faultText does the same for the text that gonet made of it.
func faultText(text string) error {
	for _, e := range stackErrors {
		if e.stack.String() == text {
			return e.plain
		}
	}
	return errors.New(text)
}

// opError wraps err as package net does.
func opError(op, network string, local, remote net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Source: local, Addr: remote, Err: err}
}

// usual turns an error of gonet's TCP connections into what a kernel socket would return.
func (s *stream) usual(op string, err error) error {
	var timeout interface{ Timeout() bool }
	var inner *net.OpError
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		err = net.ErrClosed
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &timeout) && timeout.Timeout():
		err = os.ErrDeadlineExceeded
	case errors.As(err, &inner):
		err = faultText(inner.Err.Error())
	}
	return opError(op, "tcp", s.local, s.remote, err)
}

func errClosed(op, what string) error {
	return &net.OpError{Op: op, Net: what, Err: net.ErrClosed}
}

func tcpAddr(a netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(a) }
func udpAddr(a netip.AddrPort) net.Addr { return net.UDPAddrFromAddrPort(a) }
