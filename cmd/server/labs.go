package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/lab/deadlines"
	dnslab "peerlab/lab/dns"
	"peerlab/lab/fasthttp"
	"peerlab/lab/hijack"
	holepunching "peerlab/lab/hole-punching"
	"peerlab/lab/http2"
	keepalive "peerlab/lab/keep-alive"
	"peerlab/lab/latency"
	listendial "peerlab/lab/listen-dial"
	"peerlab/lab/multiplexing"
	natmatrix "peerlab/lab/nat-matrix"
	nattype "peerlab/lab/nat-type"
	"peerlab/lab/packets"
	"peerlab/lab/pipelining"
	portmapping "peerlab/lab/port-mapping"
	"peerlab/lab/proxy"
	slownetwork "peerlab/lab/slow-network"
	tcppool "peerlab/lab/tcp-pool"
	tcpserver "peerlab/lab/tcp-server"
	"peerlab/lab/throttle"
	"peerlab/lab/transport"
	"peerlab/lab/udp"
	"peerlab/lab/webrtc"
	"peerlab/nat"
)

// labs is the list of labs, one line each.
func labs(f *flags, log *slog.Logger) []func() (*lab.Lab, error) {
	return []func() (*lab.Lab, error){
		// TCP and UDP
		tcpserver.Lab,
		listendial.Lab,
		udp.Lab,
		tcppool.Lab,
		deadlines.Lab,
		dnslab.Lab,
		packets.New(f.Capture),
		// HTTP
		latency.Lab,
		keepalive.Lab,
		transport.Lab,
		proxy.Lab,
		hijack.Lab,
		throttle.Lab,
		http2.Lab,
		multiplexing.Lab,
		pipelining.Lab,
		fasthttp.Lab,
		// NAT and peer to peer
		natmatrix.Lab,
		nattype.New(nattype.Surroundings{STUN: f.StunServers, Gateways: nat.NewFinder(log)}),
		holepunching.Lab,
		portmapping.Lab,
		webrtc.Lab,
		// Testing
		slownetwork.Lab,
	}
}

// errNoLAN is for --labs-on lan on a machine that is in no network.
var errNoLAN = errors.New("--labs-on lan: this machine has no private IPv4 address")

// buildLabs makes what runs the labs. They listen on the loopback, or if asked
// to on this machine's address in the local network, and of the outside reach
// public addresses only.
func (a *app) buildLabs(context.Context) error {
	cfg := lab.Config{Logger: a.log.With("part", "labs"), MaxRunning: a.flags.MaxRuns, MaxPerClient: a.flags.MaxRunsEach, Outside: &guard.Dialer{Policy: guard.Public, Timeout: 10 * time.Second}}
	for _, build := range labs(a.flags, a.log.With("part", "nat")) {
		l, err := build()
		if err != nil {
			return err
		}
		cfg.Labs = append(cfg.Labs, l)
	}
	if a.flags.LabsOn == "lan" {
		addr, err := labAddr(append([]netip.Addr{ownIPv4()}, lanAddrs()...))
		if err != nil {
			return err
		}
		cfg.Listen = addr
	}
	var err error
	if a.labs, err = lab.NewRunner(cfg); err != nil {
		return err
	}
	a.parts = append(a.parts, func(ctx context.Context) error {
		<-ctx.Done()
		if err := a.labs.Close(); err != nil {
			return fmt.Errorf("ending the labs: %w", err)
		}
		return nil
	})
	return nil
}

// labAddr picks the first IPv4 address of a local network.
func labAddr(addrs []netip.Addr) (netip.Addr, error) {
	for _, ip := range addrs {
		if ip.Is4() && guard.Classify(ip).Scope() == guard.ScopeLAN {
			return ip, nil
		}
	}
	return netip.Addr{}, errNoLAN
}
