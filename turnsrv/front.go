package turnsrv

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun"
	"github.com/pion/turn/v2"
)

// defaultLifetime is the lifetime of an allocation when the client names none.
const defaultLifetime = 10 * time.Minute

// wire is how messages come from clients and go to them: a UDP socket, or all
// the TCP connections of one listener. What receive returns has been screened.
type wire interface {
	receive(p []byte) (int, netip.AddrPort, error) // an error means closed
	send(p []byte, client netip.AddrPort) error    // must not keep p
	gone(client netip.AddrPort) bool               // the client can't be answered any more
	netAddr(client netip.AddrPort) net.Addr
	stream() bool // frames need padding
	transport() string
	LocalAddr() net.Addr
	Close() error
}

// front is the net.PacketConn Pion reads requests from and writes answers to.
// Each has a Pion server of its own: with it come its own 5-tuples, so that a
// UDP and a TCP client from the same port can't be mistaken for each other, and
// its own goroutine, so that cores share nothing.
//
// Pion handles a packet before it asks for the next one, in one goroutine.
// From ReadFrom's return to its next call the current request is therefore
// known, whichever hook Pion calls: who asks, what, and why we said no.
type front struct {
	srv  *Server
	wire wire

	handling sync.Mutex // held while Pion handles a packet
	current  request    // only while handling

	mu     sync.RWMutex
	relays map[netip.AddrPort]*relay // live allocations by client
}

var (
	_ net.PacketConn             = (*front)(nil)
	_ turn.RelayAddressGenerator = (*front)(nil)
)

// serve starts a Pion server on the wire. It ends when the wire is closed.
func (f *front) serve() (*turn.Server, error) {
	return turn.NewServer(turn.ServerConfig{
		Realm:              f.srv.cfg.Realm,
		AuthHandler:        f.authenticate,
		LoggerFactory:      pionLog{f.srv.cfg.Logger},
		ChannelBindTimeout: channelLifetime,
		InboundMTU:         maxMessage + 1,
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            f,
			RelayAddressGenerator: f,
			PermissionHandler:     f.permit,
		}},
	})
}

// screen takes a message as it came from a client. What is malformed or too much
// is counted and dropped, ChannelData of a known channel is relayed at once; it
// reports whether anything is left for Pion. Any goroutine may call it.
func (f *front) screen(p []byte, client netip.AddrPort) bool {
	if why := inspect(p); why != "" {
		if why != faultKeepalive {
			f.srv.dropped.add(string(why))
		}
		return false
	}
	r := f.relayOf(client)
	switch {
	case isChannelData(p):
		if r == nil {
			f.srv.dropped.add(string(faultStranger))
			return false
		}
		return !r.forward(p)
	case r == nil && !f.srv.limiter.allow(client.Addr()):
		f.srv.dropped.add(string(faultRate))
		return false
	case f.srv.discovery != nil && !f.wire.stream() && isBinding(p):
		f.srv.discovery.answer(p, client, place{})
		return false
	}
	return true
}

// ReadFrom gives Pion the next packet to handle, which says that it is through
// with the one before.
func (f *front) ReadFrom(p []byte) (int, net.Addr, error) {
	if f.current.active {
		f.settle()
		f.current = request{}
		f.handling.Unlock()
	}
	for {
		n, client, err := f.wire.receive(p)
		if err != nil {
			f.srv.reading.Done()
			return 0, nil, err
		}
		f.handling.Lock()
		if f.wire.gone(client) {
			f.handling.Unlock()
			continue
		}
		f.current = newRequest(p[:n], client)
		return n, f.wire.netAddr(client), nil
	}
}

// WriteTo sends for Pion. Responses are looked at on the way: they are to the
// current request, and come from its goroutine. Indications and ChannelData may
// come from any.
func (f *front) WriteTo(p []byte, addr net.Addr) (int, error) {
	client, n := addrPort(addr), len(p)
	if isResponse(p) {
		if p = f.respond(p); p == nil {
			return n, nil
		}
	} else if r := f.relayOf(client); r != nil {
		if isChannelData(p) {
			r.toClient.add(len(channelPayload(p)))
		} else {
			r.toClient.add(len(attribute(p, stun.AttrData)))
		}
	}
	return n, f.wire.send(p, client)
}

// toClient sends a frame that didn't come through Pion.
func (f *front) toClient(p []byte, client netip.AddrPort) {
	if err := f.wire.send(p, client); err != nil && !errors.Is(err, net.ErrClosed) {
		f.srv.dropped.add("client-write")
	}
}

// relayOf finds the live allocation of a client.
func (f *front) relayOf(client netip.AddrPort) *relay {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.relays[client]
}

// leave ends what a client has here, after its wire has lost it.
func (f *front) leave(client netip.AddrPort) {
	f.handling.Lock()
	defer f.handling.Unlock()
	if r := f.relayOf(client); r != nil {
		r.endHandling()
	}
}

// isResponse reports whether p is a success or error response.
func isResponse(p []byte) bool {
	return len(p) >= stunHeader && p[0]>>6 == 0 && binary.BigEndian.Uint16(p)&0x0100 != 0
}

// addrPort reads the addresses Pion deals in.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (f *front) LocalAddr() net.Addr { return f.wire.LocalAddr() }
func (f *front) Close() error        { return f.wire.Close() }

// Pion sets no deadlines on what it reads requests from.
func (f *front) SetDeadline(time.Time) error      { return nil }
func (f *front) SetReadDeadline(time.Time) error  { return nil }
func (f *front) SetWriteDeadline(time.Time) error { return nil }
