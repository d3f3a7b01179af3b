package nattype

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/netsim"
	"peerlab/turnsrv"
)

// Ports of the emulated STUN server (RFC 8489 section 18.6, and the next).
const (
	stunPort  = 3478
	otherPort = 3479
)

// emulated looks at an emulated host from a server with one address, with two, or
// from both side by side. The longest wait is for the lifetime, and ends with waiting.
func (s *session) emulated(ctx, waiting context.Context) error {
	names := []string{twoAddresses, oneAddress}
	if s.p.Servers != "both" {
		names = []string{s.p.Servers}
	}
	results := make([]chan error, len(names))
	for i, name := range names {
		run := s.r
		if len(names) > 1 {
			run = s.r.Variant(name)
		}
		results[i] = make(chan error, 1)
		s.r.Go(func(context.Context) error {
			err := s.stage(ctx, waiting, run, name, i == 0)
			results[i] <- err
			return err
		})
	}
	for _, result := range results {
		select {
		case err := <-result:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stage builds one emulated internet and looks at its host.
func (s *session) stage(ctx, waiting context.Context, run *lab.Run, servers string, first bool) error {
	server, err := serve(run, servers)
	if err != nil {
		return err
	}
	host, err := s.p.place(run)
	if err != nil {
		return err
	}
	subject := subject{
		run: run, host: host, servers: []netip.AddrPort{server},
		open: func() (net.PacketConn, error) { return host.ListenPacket("udp", ":0") },
	}
	found, err := subject.discover(ctx)
	if err != nil {
		return err
	}
	s.p.truth().verdict(run, found)
	if !first {
		return nil
	}
	s.table.add("the emulated host", found.Behavior)
	return s.lifetime(waiting, subject, server, found)
}

// serve runs a STUN server with two ports, of one address or two, and tells where
// it is asked.
func serve(run *lab.Run, addresses string) (netip.AddrPort, error) {
	names := []string{"stun-1", "stun-2"}
	if addresses == oneAddress {
		names = names[:1]
	}
	var corners turnsrv.Corners
	var at netip.AddrPort
	for i, name := range names {
		h, err := run.Host(name)
		if err != nil {
			return at, err
		}
		for j, port := range []int{stunPort, otherPort} {
			if corners[i][j], err = h.ListenPacket("udp", fmt.Sprintf(":%d", port)); err != nil {
				return at, err
			}
		}
		if i > 0 {
			continue
		}
		at = netip.AddrPortFrom(h.Addr(), stunPort)
		// That TCP gets through tells a wall for UDP from no way at all.
		if _, err := h.Listen("tcp", fmt.Sprintf(":%d", stunPort)); err != nil {
			return at, err
		}
	}
	return at, respond(run, corners)
}

// respond runs a responder as long as the run.
func respond(run *lab.Run, corners turnsrv.Corners) error {
	responder, err := turnsrv.NewResponder(turnsrv.ResponderConfig{}, corners)
	if err != nil {
		return fmt.Errorf("STUN server: %w", err)
	}
	run.Go(responder.Run)
	return nil
}

// place puts the host behind what was asked for.
func (p Params) place(run *lab.Run) (*lab.Host, error) {
	if p.Front == frontNone {
		return run.Host(client)
	}
	router, err := run.NAT("nat", netsim.NATConfig{
		Mapping: p.Mapping, Filtering: p.Filtering, Ports: p.Ports, Hairpin: p.Hairpin, Lifetime: p.Life,
		BlockUDP: p.Front == frontBlocked,
	})
	if err != nil {
		return nil, err
	}
	return run.HostBehind(router, client)
}

// truth is how what is in front really behaves.
func (p Params) truth() truth {
	switch p.Front {
	case frontNone:
		return truth{nat.Behavior{Mapping: nat.EndpointIndependent, Filtering: nat.EndpointIndependent}}
	case frontBlocked:
		return truth{nat.Behavior{Blocked: true}}
	}
	keeps, hairpin := p.Ports == netsim.Preserve, p.Hairpin
	return truth{nat.Behavior{
		Translated: true, Mapping: nat.Dependence(p.Mapping), Filtering: nat.Dependence(p.Filtering),
		Preserves: &keeps, Hairpin: &hairpin,
	}}
}
