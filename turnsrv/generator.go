package turnsrv

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pion/stun"
)

var (
	errQuota     = errors.New("allocation quota reached")
	errTransport = errors.New("only UDP is relayed")
	errFamily    = errors.New("only IPv4 is relayed")
)

// Numbers of the attributes of an Allocate request.
const (
	protocolUDP = 17
	familyIPv6  = 2
)

// Validate is part of Pion's RelayAddressGenerator.
func (f *front) Validate() error { return nil }

// AllocateConn would be for TCP relays (RFC 6062), which Pion v2 never asks for.
func (f *front) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errTransport
}

// AllocatePacketConn opens the relay socket for the current Allocate request.
//
// For EVEN-PORT Pion first calls it until the port is even, closes that socket,
// and calls it again with the port. So an even port is what it gets at once.
func (f *front) AllocatePacketConn(_ string, port int) (net.PacketConn, net.Addr, error) {
	q := &f.current
	refuse := func(answer refusal, reason string, err error) (net.PacketConn, net.Addr, error) {
		q.refusal = answer
		f.srv.refused.add(reason)
		return nil, nil, fmt.Errorf("allocating for %s: %w", q.src, err)
	}
	if v := attribute(q.raw, stun.AttrRequestedTransport); len(v) > 0 && v[0] != protocolUDP {
		return refuse(wrongTransport(), "transport", errTransport)
	}
	if v := attribute(q.raw, stun.AttrRequestedAddressFamily); len(v) > 0 && v[0] == familyIPv6 {
		return refuse(wrongFamily(), "relay-family", errFamily)
	}
	if !f.srv.takeQuota(q.peerID, q.src.Addr()) {
		return refuse(quotaReached(), "quota", errQuota)
	}
	even := attribute(q.raw, stun.AttrEvenPort) != nil
	conn, got, err := f.srv.ports.listen(func(p uint16) bool {
		return port == 0 && (!even || p%2 == 0) || int(p) == port
	})
	if err != nil {
		f.srv.giveQuota(q.peerID, q.src.Addr())
		return refuse(noCapacity(), "ports", err)
	}
	growBuffers(conn)
	r := newRelay(f, q, conn, got)
	f.mu.Lock()
	f.relays[q.src] = r
	f.mu.Unlock()
	return r, r.LocalAddr(), nil
}

// forget takes a closed relay out of the books.
func (f *front) forget(r *relay) {
	f.srv.retire(r, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.relays[r.client] == r {
			delete(f.relays, r.client)
		}
	})
}

// permit is Pion's PermissionHandler: it answers for one peer address of a
// CreatePermission or ChannelBind request.
func (f *front) permit(_ net.Addr, ip net.IP) bool {
	q := &f.current
	refuse := func(answer refusal, reason string) bool {
		q.refusal = answer
		f.srv.refused.add(reason)
		return false
	}
	peer, _ := netip.AddrFromSlice(ip)
	if reason, ok := f.srv.peers.allowAddr(peer); !ok {
		if reason == reasonPeerFamily {
			return refuse(peerFamily(), string(reason))
		}
		return refuse(forbidden(), string(reason))
	}
	r := f.relayOf(q.src)
	if r == nil || !r.permit(peer) {
		return refuse(noCapacity(), "permissions")
	}
	if !q.is(stun.MethodChannelBind) {
		return true
	}
	number := channelNumber(attribute(q.raw, stun.AttrChannelNumber))
	if number < 0x4000 || number > 0x7fff {
		return refuse(badRequest(), "channel-number")
	}
	if r.channels.full(number, f.srv.now()) {
		return refuse(noCapacity(), "channels")
	}
	if to, ok := q.peer(); ok {
		if reason, ok := f.srv.peers.allow(to); !ok {
			return refuse(forbidden(), string(reason))
		}
	}
	return true
}
