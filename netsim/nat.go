package netsim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// Dependence is on what a mapping or a filter of a NAT depends (RFC 4787
// sections 4.1 and 5).
type Dependence string

// The dependences. A "full cone" is endpoint-independent in both, a
// "restricted cone" filters by address, a "port-restricted cone" by address
// and port, and a "symmetric" NAT also maps by address and port.
const (
	EndpointIndependent     Dependence = "endpoint-independent"
	AddressDependent        Dependence = "address-dependent"
	AddressAndPortDependent Dependence = "address-and-port-dependent"
)

// PortAssignment is how a NAT picks the outside port of a new mapping (RFC
// 4787 section 4.2). No two mappings of a protocol share one.
type PortAssignment string

// The ways. Preserve keeps the port of the inside if it is free, and takes the
// next free one if not.
const (
	Preserve   PortAssignment = "preserve"
	Sequential PortAssignment = "sequential"
	Random     PortAssignment = "random"
)

// Lifetimes of mappings.
const (
	// DefaultLifetime is that of a UDP mapping unless NATConfig says otherwise
	// (RFC 4787 REQ-5).
	DefaultLifetime = 2 * time.Minute
	tcpLifetime     = 2*time.Hour + 4*time.Minute // RFC 5382 REQ-5, of an established connection
	icmpLifetime    = time.Minute                 // RFC 5508 REQ-2
)

// NATConfig says how a NAT behaves. The zero NATConfig is a full cone that
// preserves ports.
type NATConfig struct {
	// Mapping and Filtering; empty is EndpointIndependent. They hold for UDP, TCP and ICMP echo alike.
	Mapping, Filtering Dependence
	// Ports is how outside ports are assigned; empty is Preserve.
	Ports PortAssignment
	// FirstPort is where sequential ports begin; 0 is 40000.
	FirstPort uint16
	// Lifetime is how long a UDP mapping lasts without packets that refresh
	// it, 1 s at least; 0 is DefaultLifetime.
	Lifetime time.Duration
	// InboundRefresh lets packets from outside refresh a mapping, too (REQ-6).
	InboundRefresh bool
	// Hairpin lets hosts of the inside reach each other by their outside
	// addresses (REQ-9).
	Hairpin bool
	// BlockUDP makes it a firewall as well: UDP is dropped, TCP passes.
	BlockUDP bool
	// Inside is the network behind it, a /24; zero is the next free 192.168.x.0/24.
	Inside netip.Prefix
	// OnChange hears of every mapping that is made, changed or gone. As with
	// Config.Tap the net stands still: it must not block or call the net.
	OnChange func(MappingChange)
}

func (c *NATConfig) complete() error {
	for _, d := range []*Dependence{&c.Mapping, &c.Filtering} {
		if *d == "" {
			*d = EndpointIndependent
		}
		if !slices.Contains([]Dependence{EndpointIndependent, AddressDependent, AddressAndPortDependent}, *d) {
			return fmt.Errorf("%w: %q is no dependence of a NAT", ErrConfig, *d)
		}
	}
	if c.Ports == "" {
		c.Ports = Preserve
	}
	if !slices.Contains([]PortAssignment{Preserve, Sequential, Random}, c.Ports) {
		return fmt.Errorf("%w: %q is no assignment of ports", ErrConfig, c.Ports)
	}
	if c.FirstPort == 0 {
		c.FirstPort = 40000
	}
	if c.FirstPort < minPort {
		return fmt.Errorf("%w: first port %d is below %d", ErrConfig, c.FirstPort, minPort)
	}
	if c.Lifetime == 0 {
		c.Lifetime = DefaultLifetime
	}
	if c.Lifetime < time.Second {
		return fmt.Errorf("%w: lifetime of mappings %v is below 1s", ErrConfig, c.Lifetime)
	}
	if c.Inside.IsValid() && (c.Inside.Bits() != 24 || !c.Inside.Addr().Is4() || c.Inside != c.Inside.Masked()) {
		return fmt.Errorf("%w: %s is not an IPv4 /24", ErrConfig, c.Inside)
	}
	return nil
}

// NAT is a router that translates: it has one address in the network outside,
// and a network of its own inside, where it is the first address. Its methods
// can be called from anywhere but the tap and OnChange.
type NAT struct {
	net   *Net
	name  string
	place int
	cfg   NATConfig
	inner *side
	outer *side
	in    *subnet // inside
	out   *subnet // outside
	gate  netip.Addr

	// Guarded by Net.mu.
	external netip.Addr
	router   *Host
	table    table
}

// side is what a NAT is on one of its two networks.
type side struct {
	nat    *NAT
	inside bool
}

func (s *side) label() string { return s.nat.name }
func (s *side) at() int       { return s.nat.place }

func (s *side) has(a netip.Addr) bool {
	if s.inside {
		return a == s.nat.gate
	}
	return a == s.nat.external
}

// receive translates a packet that came in by this side and sends it on.
func (s *side) receive(view *buffer.View) {
	n := s.nat.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		view.Release()
		return
	}
	if s.inside {
		s.nat.outboundLocked(view)
	} else {
		s.nat.inboundLocked(view)
	}
}

// NAT puts a NAT on the net's own network, with the next address there. Its
// name is one of its own. Errors are those of Host, and ErrConfig.
func (n *Net) NAT(name string, cfg NATConfig) (*NAT, error) { return n.addNAT(name, cfg, n.internet) }

// NAT puts another NAT on the inside of this one, as a provider does with its
// customers (CGNAT).
func (nat *NAT) NAT(name string, cfg NATConfig) (*NAT, error) {
	return nat.net.addNAT(name, cfg, nat.in)
}

func (n *Net) addNAT(name string, cfg NATConfig, out *subnet) (*NAT, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, errClosed("nat", name)
	case n.byName[fold(name)] != nil || n.nats[fold(name)] != nil:
		return nil, fmt.Errorf("%w: %q is there already", ErrHost, name)
	case n.places == MaxHosts:
		return nil, fmt.Errorf("%w: there are %d hosts and NATs already", ErrFull, MaxHosts)
	}
	prefix, err := n.insideLocked(cfg.Inside)
	if err != nil {
		return nil, err
	}
	external, err := out.free()
	if err != nil {
		return nil, err
	}
	nat := &NAT{net: n, name: name, place: n.places, cfg: cfg, out: out, external: external}
	n.places++
	nat.inner, nat.outer = &side{nat, true}, &side{nat, false}
	nat.in = newSubnet(prefix, nat)
	if nat.gate, err = nat.in.free(); err != nil {
		return nil, err
	}
	nat.table = newTable(nat, (&draws{from: name}).stream(n.link.Seed, "ports"))
	out.nodes[external] = nat.outer
	n.subnets = append(n.subnets, nat.in)
	n.nats[fold(name)] = nat
	return nat, nil
}

// insideLocked checks the network wanted for the inside of a NAT, or finds one.
func (n *Net) insideLocked(want netip.Prefix) (netip.Prefix, error) {
	taken := func(p netip.Prefix) bool {
		return slices.ContainsFunc(n.subnets, func(s *subnet) bool { return s.prefix.Overlaps(p) })
	}
	if want.IsValid() {
		if taken(want) {
			return want, fmt.Errorf("%w: %s is in use", ErrConfig, want)
		}
		return want, nil
	}
	for i := range 256 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(i + 1), 0}), 24)
		if i < 255 && !taken(p) {
			return p, nil
		}
	}
	return want, fmt.Errorf("%w: no network left for the inside", ErrFull)
}

// Name is the NAT's name.
func (nat *NAT) Name() string { return nat.name }

// Inside is the network behind it; Gateway its own address there.
func (nat *NAT) Inside() netip.Prefix { return nat.in.prefix }

// Gateway is the NAT's address on the inside.
func (nat *NAT) Gateway() netip.Addr { return nat.gate }

// External is the NAT's address outside.
func (nat *NAT) External() netip.Addr {
	nat.net.mu.Lock()
	defer nat.net.mu.Unlock()
	return nat.external
}

// Config is how it behaves, with the defaults filled in.
func (nat *NAT) Config() NATConfig { return nat.cfg }

// Host adds a host to the inside, or returns the one of this name if it is
// there; as Net.Host does otherwise.
func (nat *NAT) Host(name string) (*Host, error) { return nat.net.addHost(name, nat.in) }

// Router is the NAT as a host of its own inside, with the address Gateway: for
// services that routers have there. It has the name of the NAT and reaches the
// inside only.
func (nat *NAT) Router() (*Host, error) {
	n := nat.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if nat.router != nil || n.closed {
		if n.closed {
			return nil, errClosed("router", nat.name)
		}
		return nat.router, nil
	}
	h, err := newHost(n, nat.name, nat.place, nat.in, nat.gate, false)
	if err != nil {
		return nil, err
	}
	nat.router = h
	nat.in.nodes[nat.gate] = h
	n.hosts = append(n.hosts, h)
	n.byName[fold(nat.name)] = h
	return h, nil
}

// Readdress gives the NAT another address outside, as a provider does now and
// then. The mappings made by packets are gone; static ones stay.
func (nat *NAT) Readdress() (netip.Addr, error) {
	n := nat.net
	n.mu.Lock()
	defer n.mu.Unlock()
	external, err := nat.out.free()
	if err != nil {
		return netip.Addr{}, err
	}
	nat.table.clear("new outside address")
	delete(nat.out.nodes, nat.external)
	nat.external = external
	nat.out.nodes[external] = nat.outer
	nat.table.moved()
	return external, nil
}
