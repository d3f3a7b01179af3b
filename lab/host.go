package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"peerlab/netsim"
)

// Dialer connects to somewhere; *net.Dialer is one, and a guarded one that
// refuses the addresses it should.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// PacketListener opens a UDP socket by which the outside is reached, where a
// Dialer would go. A Runner's outside dialer may be one.
type PacketListener interface {
	ListenPacket(ctx context.Context) (net.PacketConn, error)
}

// Host is one machine of a run, and a lane of its record.
//
// On the link it is a host of the emulated network, with an address of its own
// and every port free. On the loopback it is a name: it listens on an address
// of this machine at a port the system picks, and a listener asked for at
// "server" port 80 is still found by dialling "server:80", so that a lab reads
// the same on both. Dialling anything but the run's own listeners is refused
// on the loopback unless the lab has Info.Outside and the Runner an outside
// dialer; on the link there is nothing else to be dialled.
//
// Everything opened here is closed when the run's ctx ends, whatever the lab
// is doing then, and counts against the run's limit of sockets.
type Host struct {
	run  *Run
	name string
	addr netip.Addr
	sim  *netsim.Host // nil on the loopback
}

// Host returns the host of that name, a lane; made when first asked for. On
// the link there may be as many as netsim allows, on the loopback 64.
func (r *Run) Host(name string) (*Host, error) {
	return r.host(name, func() (*netsim.Host, error) {
		n, err := r.netLocked()
		if err != nil {
			return nil, err
		}
		return n.Host(name)
	})
}

// host finds a host, or makes one and joins it to the network if there is one.
func (r *Run) host(name string, join func() (*netsim.Host, error)) (*Host, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.hosts[name]; h != nil {
		return h, nil
	}
	if err := r.validLane(name); err != nil {
		return nil, err
	}
	h := &Host{run: r, name: name, addr: r.sockets.listenOn}
	if r.Network() == Link {
		sim, err := join()
		if err != nil {
			return nil, fmt.Errorf("emulated link: %w", err)
		}
		h.sim, h.addr = sim, sim.Addr()
	} else if len(r.hosts) >= 64 {
		return nil, limited(ErrHost, 64)
	}
	r.hosts[name] = h
	return h, nil
}

// validLane tells whether there can be a host of this name now.
func (r *Run) validLane(name string) error {
	if len(name) > 40 || !slug.MatchString(name) {
		return fmt.Errorf("%w: %q must be lower-case words joined by dashes", ErrHost, clip(name, 40))
	}
	if r.sockets.over() {
		return fmt.Errorf("host %s: %w", name, net.ErrClosed)
	}
	return nil
}

// Name is the lane of the host.
func (h *Host) Name() string { return h.name }

// Addr is the address its listeners have. All hosts on the loopback share one.
func (h *Host) Addr() netip.Addr { return h.addr }

// DialContext connects to an address of this run: a host's name and a port it
// listens on, or what a listener's Addr says. The network is tcp or udp, with
// or without a 4.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	network, err := plainNetwork(network)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	err = h.run.sockets.open(func() error {
		if h.sim != nil {
			c, err = h.sim.DialContext(ctx, network, address)
		} else {
			c, err = h.dialLoopback(ctx, network, address)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s dials %s: %w", h.name, clip(address, 100), err)
	}
	return h.run.sockets.dialledConn(c)
}

func (h *Host) dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	s := h.run.sockets
	own, ok := s.find(network, h.run.lane(""), address)
	if !ok {
		if h.run.settings.lab.Outside && h.run.outside != nil {
			return h.run.outside.DialContext(ctx, network, address)
		}
		return nil, ErrNotOurs
	}
	return s.owners.dial(ctx, h.name, network, own.String())
}

// Listen takes a port: "tcp" and ":80". The port is the one asked for on the
// link and any free one on the loopback, for TCP and UDP the same one if that is
// free; Addr of the listener tells. With the
// host part "localhost" it is for the run alone even where the server lets a
// class in.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	network, port, at, err := h.listenAddress(network, address)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	err = h.run.sockets.open(func() error {
		if h.sim != nil {
			l, err = h.sim.Listen(network, at)
		} else {
			l, err = net.Listen(network, at)
			if errors.Is(err, syscall.EADDRINUSE) {
				l, err = net.Listen(network, anyPort(at))
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s listens on %s: %w", h.name, clip(address, 100), err)
	}
	return h.run.sockets.listener(l, network, h.run.lane(h.name), port, h.sim == nil)
}

// ListenPacket opens a datagram socket: "udp" and ":53". Ports are as for
// Listen. On the loopback it sends to the run's own sockets, and to those that
// sent to it first, only.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	network, port, at, err := h.listenAddress(network, address)
	if err != nil {
		return nil, err
	}
	var pc net.PacketConn
	err = h.run.sockets.open(func() error {
		if h.sim != nil {
			pc, err = h.sim.ListenPacket(network, at)
		} else {
			pc, err = net.ListenPacket(network, at)
			if errors.Is(err, syscall.EADDRINUSE) {
				pc, err = net.ListenPacket(network, anyPort(at))
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s listens on %s: %w", h.name, clip(address, 100), err)
	}
	if h.sim == nil {
		h.run.sockets.owners.own(pc.LocalAddr(), h.name) // what it sends is the host's
	}
	return h.run.sockets.packetConn(pc, network, h.run.lane(h.name), port, h.sim == nil)
}

// anyPort is the address with a port that the system picks.
func anyPort(at string) string {
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return at
	}
	return net.JoinHostPort(host, "0")
}

// ListenOutside opens a UDP socket, at any port, that reaches what the Runner's
// outside dialer allows, for a lab with Info.Outside. The error is ErrNotOurs
// where there is none, and on the link, where there is no outside.
func (h *Host) ListenOutside(ctx context.Context) (net.PacketConn, error) {
	outside, ok := h.run.outside.(PacketListener)
	if !ok || h.sim != nil || !h.run.settings.lab.Outside {
		return nil, fmt.Errorf("%s listens to the outside: %w", h.name, ErrNotOurs)
	}
	var pc net.PacketConn
	err := h.run.sockets.open(func() (err error) {
		pc, err = outside.ListenPacket(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s listens to the outside: %w", h.name, err)
	}
	return h.run.sockets.packetConn(pc, "udp", h.run.lane(h.name), "0", false)
}

// listenAddress works out where to listen, and under which port that is known.
func (h *Host) listenAddress(network, address string) (plain, port, at string, err error) {
	if plain, err = plainNetwork(network); err != nil {
		return "", "", "", err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", "", fmt.Errorf("%s listens: %w", h.name, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", "", "", fmt.Errorf("%s listens on port %q: %w", h.name, clip(port, 20), err)
	}
	port = strconv.FormatUint(n, 10)
	if h.sim != nil {
		return plain, port, ":" + port, nil
	}
	s := h.run.sockets
	if _, taken := s.find(plain, h.run.lane(""), net.JoinHostPort(h.name, port)); n != 0 && taken {
		return "", "", "", fmt.Errorf("%s, port %s: %w", h.name, port, ErrInUse)
	}
	on := h.addr
	if host == "localhost" || host == "127.0.0.1" {
		on = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	same, other := uint16(0), "udp" // a service on both has one port
	if plain == "udp" {
		other = "tcp"
	}
	if at, ok := s.find(other, h.run.lane(""), net.JoinHostPort(h.name, port)); n != 0 && ok {
		same = at.Port()
	}
	return plain, port, netip.AddrPortFrom(on, same).String(), nil
}

// HostOf names the host of this run that has the address: of a connection's
// other end, say. What comes from behind a NAT has the address of the NAT, and
// its name. It is empty for somebody from outside.
func (r *Run) HostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	if r.Network() == Loopback {
		return r.sockets.owners.of(a)
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		if h.addr.String() == host {
			return h.name
		}
	}
	for _, nat := range r.nats {
		if nat.External().String() == host {
			return nat.Name()
		}
	}
	return ""
}

func plainNetwork(network string) (string, error) {
	switch plain := strings.TrimSuffix(network, "4"); plain {
	case "tcp", "udp":
		return plain, nil
	}
	return "", fmt.Errorf("network %q: %w", clip(network, 20), net.UnknownNetworkError(clip(network, 20)))
}
