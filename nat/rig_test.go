package nat_test

import (
	"net/netip"

	"github.com/pion/stun"

	"peerlab/netsim"
)

// plain runs a STUN server of one address and one port, which knows nothing of
// behaviour discovery.
func (in *internet) plain(h *netsim.Host) netip.AddrPort {
	in.t.Helper()
	return in.answering(h, func(request *stun.Message, from netip.AddrPort) []stun.Setter {
		for _, a := range request.Attributes {
			if a.Type < 0x8000 {
				return []stun.Setter{stun.BindingError, stun.CodeUnknownAttribute}
			}
		}
		return []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())}}
	})
}

// answering runs a server that answers in its own way.
func (in *internet) answering(h *netsim.Host, answer func(request *stun.Message, from netip.AddrPort) []stun.Setter) netip.AddrPort {
	in.t.Helper()
	pc := in.socket(h, 3478)
	in.running.Go(func() {
		<-in.ctx.Done()
		pc.Close()
	})
	in.running.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, addr, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			request := new(stun.Message)
			if stun.Decode(buf[:n], request) != nil {
				continue
			}
			from := netip.MustParseAddrPort(addr.String())
			reply, err := stun.Build(append([]stun.Setter{&stun.Message{TransactionID: request.TransactionID}}, answer(request, from)...)...)
			if err == nil {
				_, _ = pc.WriteTo(reply.Raw, addr)
			}
		}
	})
	return netip.AddrPortFrom(h.Addr(), 3478)
}
