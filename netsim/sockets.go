package netsim

import (
	"cmp"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// Socket is one line of what ss or netstat show.
type Socket struct {
	// Proto is "tcp" or "udp".
	Proto string
	// State is TCP's, in RFC 9293's words ("LISTEN", "SYN-SENT", "ESTABLISHED",
	// "FIN-WAIT1", "TIME-WAIT"); of a UDP socket "BOUND" or "CONNECTED".
	State string
	// Local and Remote are the addresses; Remote is not valid when there is none.
	Local, Remote netip.AddrPort
	// Dropped counts the datagrams that found no room in the receive buffer.
	Dropped uint64
}

// Sockets lists the host's sockets as they are now, those in TIME-WAIT
// included, by local and remote address.
func (h *Host) Sockets() []Socket {
	if h.net.isClosed() {
		return nil
	}
	var all []Socket
	seen := make(map[stack.TransportEndpoint]bool)
	for _, e := range append(h.stack.RegisteredEndpoints(), h.stack.CleanupEndpoints()...) {
		ep, ok := e.(tcpip.Endpoint)
		if !ok || seen[e] {
			continue
		}
		seen[e] = true
		info, ok := ep.Info().(*stack.TransportEndpointInfo)
		if !ok {
			continue
		}
		s := Socket{
			Local: h.shown(tcpip.FullAddress{Addr: info.ID.LocalAddress, Port: info.ID.LocalPort}),
		}
		if info.ID.RemotePort != 0 {
			s.Remote = addrPort(tcpip.FullAddress{Addr: info.ID.RemoteAddress, Port: info.ID.RemotePort})
		}
		switch info.TransProto {
		case tcp.ProtocolNumber:
			s.Proto, s.State = "tcp", tcp.EndpointState(ep.State()).String()
		case udp.ProtocolNumber:
			s.Proto, s.State, s.Dropped = "udp", "BOUND", dropped(ep)
			if s.Remote.IsValid() {
				s.State = "CONNECTED"
			}
		default:
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return all
}

func dropped(ep tcpip.Endpoint) uint64 {
	stats, ok := ep.Stats().(*tcpip.TransportEndpointStats)
	if !ok {
		return 0
	}
	return stats.ReceiveErrors.ReceiveBufferOverflow.Value()
}
