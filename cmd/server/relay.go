package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"peerlab/guard"
	"peerlab/signaling/envelope"
	"peerlab/turnsrv"
)

// iceSource tells a peer which STUN and TURN servers to use, and for how long.
type iceSource interface {
	servers(peerID, host string) ([]envelope.ICEServer, time.Duration)
}

var (
	_ iceSource = (*relay)(nil)
	_ iceSource = (*externalICE)(nil)
)

// relay is our own STUN/TURN server and where it is.
type relay struct {
	server *turnsrv.Server
	listen netip.AddrPort
	ip     netip.Addr
	policy guard.Policy
	ports  portRange
	close  func()
}

// relayTries is how often a port that the system chose for UDP may turn out to
// be taken for TCP.
const relayTries = 8

func newRelay(ctx context.Context, f *flags, log *slog.Logger) (*relay, error) {
	policy, err := guard.ParsePolicy(f.TurnPeers)
	if err != nil {
		return nil, fmt.Errorf("--turn-peers: %w", err)
	}
	secret := []byte(f.TurnSecret)
	if len(secret) == 0 {
		secret = []byte(rand.Text())
	}
	r := &relay{ip: f.RelayIP.Addr, policy: policy, ports: f.RelayPorts}
	if !r.ip.IsValid() {
		r.ip = ownIPv4()
	}
	udp, tcp, err := listenRelay(ctx, f.TurnAddr)
	if err != nil {
		return nil, portError("--turn-addr", f.TurnAddr, err)
	}
	r.close = func() {
		for _, c := range udp {
			c.Close()
		}
		tcp.Close()
	}
	if a, ok := tcp.Addr().(*net.TCPAddr); ok {
		r.listen = a.AddrPort()
	}
	r.server, err = turnsrv.New(turnsrv.Config{
		Secret:        secret,
		CredentialTTL: credentialTTL,
		RelayIP:       r.ip,
		RelayPorts:    turnsrv.PortRange{Min: f.RelayPorts.Min, Max: f.RelayPorts.Max},
		Policy:        policy,
		Logger:        log,
	}, udp, []net.Listener{tcp})
	if err != nil {
		r.close()
		return nil, fmt.Errorf("setting up the relay: %w", err)
	}
	return r, nil
}

// listenRelay opens the same port for UDP and TCP.
func listenRelay(ctx context.Context, addr string) ([]net.PacketConn, net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	var failures []error
	for range relayTries {
		udp, err := turnsrv.ListenUDP(ctx, addr, 0)
		if err != nil {
			return nil, nil, err
		}
		_, chosen, err := net.SplitHostPort(udp[0].LocalAddr().String())
		if err != nil {
			return nil, nil, err
		}
		tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, chosen))
		if err == nil {
			return udp, tcp, nil
		}
		for _, c := range udp {
			c.Close()
		}
		if failures = append(failures, err); port != "0" {
			break
		}
	}
	return nil, nil, errors.Join(failures...)
}

// servers offers the relay by the host by which the peer reached the signaling.
func (r *relay) servers(peerID, host string) ([]envelope.ICEServer, time.Duration) {
	return ownICEServers(r.server.Credentials(peerID), r.listen, r.ip, host), credentialTTL
}
