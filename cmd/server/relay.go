package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
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
	alt    uint16 // the second port of STUN; 0: there is none
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
	alternate, err := listenAlternate(ctx, f.STUNAltAddr, udp[0].LocalAddr(), log)
	if err != nil {
		r.close()
		return nil, portError("--stun-alt-addr", f.STUNAltAddr, err)
	}
	if alternate != nil {
		first := r.close
		r.close = func() { first(); alternate.Close() }
		r.alt = uint16(alternate.LocalAddr().(*net.UDPAddr).Port)
	}
	r.server, err = turnsrv.New(turnsrv.Config{
		Alternate:     alternate,
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

// listenAlternate opens a second UDP port on the address of the first, or none: nil.
func listenAlternate(ctx context.Context, addr string, first net.Addr, log *slog.Logger) (net.PacketConn, error) {
	at, ok := first.(*net.UDPAddr)
	if !ok || addr == "off" {
		return nil, nil
	}
	auto := addr == "auto"
	if auto {
		addr = net.JoinHostPort(at.IP.String(), strconv.Itoa(at.Port+1))
	}
	// Not with SO_REUSEPORT, as a port that another program has is not free.
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", addr)
	if err != nil && auto {
		log.Warn("no second port for STUN, so browsers can't measure their NAT", "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if got, ok := conn.LocalAddr().(*net.UDPAddr); !ok || !got.IP.Equal(at.IP) {
		conn.Close()
		return nil, fmt.Errorf("not an address of --turn-addr, which is %s", at.IP)
	}
	return conn, nil
}

// stun lists the STUN ports for who reaches the pages by that host.
func (r *relay) stun(host string) []string {
	name := reachable(r.listen, r.ip, host)
	urls := []string{"stun:" + net.JoinHostPort(name, strconv.Itoa(int(r.listen.Port())))}
	if r.alt != 0 {
		urls = append(urls, "stun:"+net.JoinHostPort(name, strconv.Itoa(int(r.alt))))
	}
	return urls
}

// servers offers the relay by the host by which the peer reached the signaling.
func (r *relay) servers(peerID, host string) ([]envelope.ICEServer, time.Duration) {
	return ownICEServers(r.server.Credentials(peerID), r.listen, r.ip, host), credentialTTL
}
