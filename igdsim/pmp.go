package igdsim

import (
	"errors"
	"net/netip"
	"time"

	"peerlab/nat"
)

// maxPMPLease is the most that is granted: two hours, as RFC 6886 section 3.3
// recommends.
const maxPMPLease = 2 * time.Hour

// answerPMP answers to NAT-PMP; what is none gets no answer.
func (r *Router) answerPMP() error {
	buf := make([]byte, 64)
	for {
		n, from, err := r.pmp.ReadFrom(buf)
		if err != nil {
			return err
		}
		client, err := netip.ParseAddrPort(from.String())
		if err != nil {
			continue
		}
		request, err := nat.ParsePMPRequest(buf[:n])
		if err != nil {
			continue
		}
		r.pmp.WriteTo(r.granted(client.Addr().Unmap(), request).Append(nil), from) // a datagram may get lost anyhow
	}
}

// granted does what a client asks for.
func (r *Router) granted(client netip.Addr, q nat.PMPRequest) nat.PMPAnswer {
	a := nat.PMPAnswer{Opcode: q.Opcode, Epoch: r.table.age(), Internal: q.Internal}
	proto := "tcp"
	switch {
	case q.Version != 0:
		a.Result = nat.PMPUnsupportedVersion
		return a
	case q.Opcode == nat.PMPExternal:
		if a.Address = r.cfg.NAT.External(); !a.Address.IsValid() {
			a.Result = nat.PMPNetworkFailure
		}
		return a
	case q.Opcode == nat.PMPMapUDP:
		proto = "udp"
	case q.Opcode != nat.PMPMapTCP:
		a.Result = nat.PMPUnsupportedOpcode
		return a
	}
	if q.Lifetime == 0 {
		r.table.removeInside(proto, client, q.Internal)
		return a
	}
	if q.Internal == 0 {
		a.Result = nat.PMPNotAuthorized
		return a
	}
	e := Entry{
		Proto: proto, External: q.External, To: netip.AddrPortFrom(client, q.Internal), By: "NAT-PMP",
		Lease: min(time.Duration(q.Lifetime)*time.Second, maxPMPLease),
	}
	if e.External == 0 {
		e.External = q.Internal
	}
	e, err := r.table.addAny(e)
	switch {
	case errors.Is(err, errFull):
		a.Result = nat.PMPOutOfResources
	case err != nil:
		a.Result = nat.PMPNetworkFailure
	default:
		a.External, a.Lifetime = e.External, uint32(e.Lease/time.Second)
	}
	return a
}
