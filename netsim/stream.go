package netsim

import (
	"net"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Stream is a TCP connection of a host: what DialContext returns for tcp and
// what Accept returns. It has the methods of *net.TCPConn that labs need.
type Stream interface {
	net.Conn
	// CloseWrite sends a FIN and leaves the reading side open.
	CloseWrite() error
	// CloseRead makes further reads end; nothing is sent.
	CloseRead() error
	// SetLinger with 0 makes Close send a RST; below 0 is the default.
	SetLinger(sec int) error
	// SetNoDelay with false asks for Nagle's algorithm.
	SetNoDelay(bool) error
	// SetKeepAlive turns keep-alive probes on or off; they are off at first.
	SetKeepAlive(bool) error
	// SetKeepAlivePeriod sets the idle time before the first probe and the time between probes.
	SetKeepAlivePeriod(time.Duration) error
	// SetReadBuffer and SetWriteBuffer set the buffers, in bytes.
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// stream is gonet's connection with the errors of package net.
type stream struct {
	*gonet.TCPConn
	ep            tcpip.Endpoint
	local, remote net.Addr
	closed        atomic.Bool
}

var _ Stream = (*stream)(nil)

func newStream(wq *waiter.Queue, ep tcpip.Endpoint) *stream {
	s := &stream{TCPConn: gonet.NewTCPConn(wq, ep), ep: ep, local: &net.TCPAddr{}, remote: &net.TCPAddr{}}
	// Asked once, since a closed endpoint has forgotten them.
	if a, err := ep.GetLocalAddress(); err == nil {
		s.local = tcpAddr(addrPort(a))
	}
	if a, err := ep.GetRemoteAddress(); err == nil {
		s.remote = tcpAddr(addrPort(a))
	}
	return s
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }

func (s *stream) Read(b []byte) (int, error) {
	if len(b) == 0 && !s.closed.Load() {
		return 0, nil
	}
	n, err := s.TCPConn.Read(b)
	return n, s.usual("read", err)
}

func (s *stream) Write(b []byte) (int, error) {
	n, err := s.TCPConn.Write(b)
	return n, s.usual("write", err)
}

func (s *stream) CloseWrite() error { return s.usual("close", s.TCPConn.CloseWrite()) }
func (s *stream) CloseRead() error  { return s.usual("close", s.TCPConn.CloseRead()) }

func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return opError("close", "tcp", s.local, s.remote, net.ErrClosed)
	}
	return s.TCPConn.Close()
}

func (s *stream) SetLinger(sec int) error {
	linger := tcpip.LingerOption{Enabled: sec >= 0, Timeout: time.Duration(max(sec, 0)) * time.Second}
	s.ep.SocketOptions().SetLinger(linger)
	return nil
}

func (s *stream) SetNoDelay(on bool) error {
	s.ep.SocketOptions().SetDelayOption(!on)
	return nil
}

func (s *stream) SetKeepAlive(on bool) error {
	s.ep.SocketOptions().SetKeepAlive(on)
	return nil
}

func (s *stream) SetKeepAlivePeriod(d time.Duration) error {
	idle, interval := tcpip.KeepaliveIdleOption(d), tcpip.KeepaliveIntervalOption(d)
	if err := s.ep.SetSockOpt(&idle); err != nil {
		return opError("set", "tcp", s.local, s.remote, fault(err))
	}
	if err := s.ep.SetSockOpt(&interval); err != nil {
		return opError("set", "tcp", s.local, s.remote, fault(err))
	}
	return nil
}

func (s *stream) SetReadBuffer(bytes int) error {
	s.ep.SocketOptions().SetReceiveBufferSize(int64(bytes), true)
	return nil
}

func (s *stream) SetWriteBuffer(bytes int) error {
	s.ep.SocketOptions().SetSendBufferSize(int64(bytes), true)
	return nil
}
