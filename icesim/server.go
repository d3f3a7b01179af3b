package icesim

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"peerlab/guard"
	"peerlab/turnsrv"
)

// Port is where a Server listens, on UDP and TCP: that of STUN and TURN (RFC 8489
// section 18.6).
const Port = 3478

// relayPorts are few, as few use one server here.
var relayPorts = turnsrv.PortRange{Min: 50000, Max: 50099}

// ServerHost is what a Server needs of its host.
type ServerHost interface {
	Host
	Listen(network, address string) (net.Listener, error)
}

// Server is our own STUN and TURN server on an emulated host.
type Server struct {
	turn *turnsrv.Server
	addr netip.Addr
}

// NewServer makes a server on a host; Run runs it. The logger may be nil.
func NewServer(h ServerHost, log *slog.Logger) (*Server, error) {
	udp, err := h.ListenPacket("udp", fmt.Sprintf(":%d", Port))
	if err != nil {
		return nil, fmt.Errorf("STUN server: %w", err)
	}
	tcp, err := h.Listen("tcp", fmt.Sprintf(":%d", Port))
	if err != nil {
		udp.Close()
		return nil, fmt.Errorf("STUN server: %w", err)
	}
	s := &Server{addr: h.Addr()}
	s.turn, err = turnsrv.New(turnsrv.Config{
		Secret: []byte("of an emulated network"), RelayIP: h.Addr(), RelayPorts: relayPorts,
		Policy: guard.Any, // whoever is there is ours
		ListenRelay: func(at netip.AddrPort) (net.PacketConn, error) {
			pc, err := h.ListenPacket("udp", fmt.Sprintf(":%d", at.Port()))
			if err != nil {
				return nil, err
			}
			return Datagrams{pc}, nil
		},
		Logger: log,
	}, []net.PacketConn{Datagrams{udp}}, []net.Listener{tcp})
	if err != nil {
		udp.Close()
		tcp.Close()
		return nil, fmt.Errorf("STUN server: %w", err)
	}
	return s, nil
}

// Run serves until ctx ends. It may be called once.
func (s *Server) Run(ctx context.Context) error { return s.turn.Run(ctx) }

// Addr is where it is reached, on UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return netip.AddrPortFrom(s.addr, Port) }

// Credentials are those of a peer.
func (s *Server) Credentials(peer string) (user, password string) {
	c := s.turn.Credentials(peer)
	return c.Username, c.Password
}
