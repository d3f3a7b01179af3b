package turnsrv

import (
	"context"
	"fmt"
	"net"
	"runtime"
)

// socketBuffer is asked of the kernel for the sockets many clients share; it
// gives what its limits allow.
const socketBuffer = 2 << 20

// ListenUDP opens n UDP sockets on one address, over which the kernel spreads
// the clients (SO_REUSEPORT), so that as many cores can work. n 0 means one for
// each core; where the system can't do it there is one socket whatever n says.
// With port 0 all get the same port, chosen by the system.
func ListenUDP(ctx context.Context, addr string, n int) ([]net.PacketConn, error) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	if n == 1 || !canReusePort {
		conn, err := listenUDP(ctx, net.ListenConfig{}, addr)
		if err != nil {
			return nil, err
		}
		return []net.PacketConn{conn}, nil
	}
	// SO_REUSEPORT would let us share the port with a stranger without either
	// noticing. So the port is first taken the ordinary way, which fails if
	// anybody has it, and also chooses it if it is 0.
	probe, err := listenUDP(ctx, net.ListenConfig{}, addr)
	if err != nil {
		return nil, err
	}
	chosen := probe.LocalAddr().(*net.UDPAddr)
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		probe.Close()
		return nil, fmt.Errorf("listening for TURN on %s: %w", addr, err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("listening for TURN on %s: %w", addr, err)
	}
	var conns []net.PacketConn
	for range n {
		conn, err := listenUDP(ctx, net.ListenConfig{Control: reusePort}, net.JoinHostPort(host, fmt.Sprint(chosen.Port)))
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

func listenUDP(ctx context.Context, lc net.ListenConfig, addr string) (net.PacketConn, error) {
	conn, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for TURN on %s: %w", addr, err)
	}
	growBuffers(conn)
	return conn, nil
}

// growBuffers makes bursts less likely to be lost. It works without, too.
func growBuffers(conn net.PacketConn) {
	if c, ok := conn.(interface {
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}); ok {
		_ = c.SetReadBuffer(socketBuffer)
		_ = c.SetWriteBuffer(socketBuffer)
	}
}
