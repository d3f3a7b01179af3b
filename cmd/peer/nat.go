package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"peerlab/nat"
	"peerlab/peer"
	"peerlab/signaling/envelope"
)

// measureNAT finds out how the NAT before this machine treats UDP, by STUN
// servers that the room named.
func measureNAT(ctx context.Context, servers []string) (envelope.NAT, error) {
	addrs, err := lookUp(ctx, servers)
	if err != nil {
		return envelope.NAT{}, err
	}
	found, err := nat.DiscoverBehavior(ctx, nat.DiscoverConfig{
		Open:    func() (net.PacketConn, error) { return net.ListenPacket("udp4", ":0") },
		Servers: addrs,
		Dial:    (&net.Dialer{}).DialContext,
	})
	switch {
	case err != nil:
		return envelope.NAT{}, fmt.Errorf("measure the NAT: %w", err)
	case !found.Behavior.Known():
		return envelope.NAT{}, errors.New("measure the NAT: " + strings.Join(found.Untold, " "))
	}
	mapping, filtering := found.Behavior.Words()
	return envelope.NAT{Mapping: mapping, Filtering: filtering}, nil
}

// lookUp finds the IPv4 addresses of STUN servers, one for each.
func lookUp(ctx context.Context, servers []string) ([]netip.AddrPort, error) {
	var found []netip.AddrPort
	for _, server := range servers {
		host, port, err := nat.ParseServer(server)
		if err != nil {
			return nil, err
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("STUN server %q: port: %w", server, err)
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		if err == nil && len(addrs) == 0 {
			err = errors.New("no IPv4 address")
		}
		if err != nil {
			return nil, fmt.Errorf("STUN server %q: %w", server, err)
		}
		found = append(found, netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)))
	}
	return found, nil
}

// natsOf tells what is known of the NATs between us and the other end of a link,
// and what follows.
func natsOf(ours envelope.NAT, l *peer.Link) string {
	mine, theirs := nat.FromWords(ours.Mapping, ours.Filtering), nat.FromWords(l.NAT().Mapping, l.NAT().Filtering)
	if !mine.Known() || !theirs.Known() {
		return ""
	}
	return fmt.Sprintf(" NATs: ours %s, theirs %s.", mine.Kind(), theirs.Kind())
}
