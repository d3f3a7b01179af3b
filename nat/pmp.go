package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// pmpTime bounds one request: routers that speak NAT-PMP answer at once, and
// the RFC's two minutes are no use to a person.
const pmpTime = 3 * time.Second

// ErrNoPMPAnswer says that nobody answers to NAT-PMP at a gateway. It is a
// normal answer.
var ErrNoPMPAnswer = errors.New("no NAT-PMP answer")

// PMPConfig says whom a PMP asks, and how.
type PMPConfig struct {
	// Gateway is the router; NAT-PMP has no discovery, and takes the default
	// gateway (RFC 6886 section 3.1). Required.
	Gateway netip.Addr
	// Local is the address of ours that mappings are for. Not valid: the one
	// that the system takes.
	Local netip.Addr
	// Network, if not nil, is used in place of this host's.
	Network Network
	// Observer may be nil.
	Observer Observer
}

// PMP asks one router by NAT-PMP, one request at a time.
type PMP struct {
	cfg PMPConfig
	ask pmpCaller
}

// pmpCaller sends a request, again and again, until it is answered, ctx ends or
// pmpTime is over. A refusal is in the answer, silence is ErrNoPMPAnswer.
type pmpCaller interface {
	call(ctx context.Context, r PMPRequest) (PMPAnswer, error)
}

// NewPMP makes a PMP. On this host's own network it is go-nat-pmp that asks;
// that library opens its sockets itself, so on a network that is given it is
// our own exchange.
func NewPMP(cfg PMPConfig) (*PMP, error) {
	if !cfg.Gateway.Is4() || cfg.Gateway.IsUnspecified() || cfg.Gateway.IsMulticast() {
		return nil, fmt.Errorf("NAT-PMP: gateway %s is not the IPv4 address of a router", cfg.Gateway)
	}
	p := &PMP{cfg: cfg, ask: pmpLibrary{cfg.Gateway, cfg.Local}}
	if cfg.Network != nil {
		p.ask = pmpExchange{cfg.Network, netip.AddrPortFrom(cfg.Gateway, PMPPort)}
	}
	return p, nil
}

// call tells of a request and its answer, and makes an error of a refusal.
func (p *PMP) call(ctx context.Context, name string, r PMPRequest) (PMPAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, pmpTime)
	defer cancel()
	began := time.Now()
	m := Message{Protocol: ProtocolPMP, Router: p.cfg.Gateway, Name: name}
	if pmpMapping(r.Opcode) {
		m.Args = []Arg{{"internal port", number(r.Internal)}, {"suggested external port", number(r.External)}, {"lifetime", number(r.Lifetime)}}
	}
	p.cfg.Observer.tell(m)
	a, err := p.ask.call(ctx, r)
	m = Message{Protocol: ProtocolPMP, Router: p.cfg.Gateway, Answer: true, Name: "success", Took: time.Since(began)}
	switch {
	case err != nil:
		err = fmt.Errorf("%s: %w", name, err)
		m.Name, m.Args = noAnswer, []Arg{{"error", cleanTo(err.Error(), maxError)}}
	case a.Result != PMPSuccess:
		err = fmt.Errorf("%s: %w", name, a.Result)
		m.Name, m.Code = fmt.Sprintf("result %d", uint16(a.Result)), int(a.Result)
		m.Args = []Arg{{"error", a.Result.Error()}}
	case pmpMapping(r.Opcode):
		m.Args = []Arg{{"mapped external port", number(a.External)}, {"lifetime", number(a.Lifetime)}, {"seconds since start", number(a.Epoch)}}
	default:
		m.Args = []Arg{{"external address", a.Address.String()}, {"seconds since start", number(a.Epoch)}}
	}
	p.cfg.Observer.tell(m)
	return a, err
}

// Condition asks for the outside address. Its Uptime is the age of the table of
// mappings (RFC 6886 section 3.6). Errors wrap a PMPResult, or ErrNoPMPAnswer.
func (p *PMP) Condition(ctx context.Context) (Condition, error) {
	a, err := p.call(ctx, "external address?", PMPRequest{Opcode: PMPExternal})
	if err != nil {
		return Condition{}, err
	}
	return Condition{External: parseExternal(a.Address.String()), Uptime: time.Duration(a.Epoch) * time.Second}, nil
}

// Granted is a mapping as the router made it.
type Granted struct {
	External uint16        // need not be the one wanted
	Lease    time.Duration // need not be the one asked for
	Uptime   time.Duration // of the table, as in Condition
}

// Map asks for a mapping for a lease in whole seconds, at least one: NAT-PMP
// knows no mapping without an end. A mapping of ours for that port is renewed.
// Errors are as of Condition.
func (p *PMP) Map(ctx context.Context, protocol Protocol, internal, wanted uint16, lease time.Duration) (Granted, error) {
	if internal == 0 || lease < time.Second || lease > MaxLease {
		return Granted{}, fmt.Errorf("NAT-PMP: map port %d for %v: wanted a port, and 1s to %v", internal, lease, MaxLease)
	}
	r := PMPRequest{Opcode: opcode(protocol), Internal: internal, External: wanted, Lifetime: uint32((lease + time.Second - 1) / time.Second)}
	a, err := p.call(ctx, "map "+string(protocol), r)
	if err != nil {
		return Granted{}, err
	}
	return Granted{External: a.External, Lease: time.Duration(a.Lifetime) * time.Second, Uptime: time.Duration(a.Epoch) * time.Second}, nil
}

// Unmap removes the mapping of an internal port (RFC 6886 section 3.4). One that
// is not there is no error.
func (p *PMP) Unmap(ctx context.Context, protocol Protocol, internal uint16) error {
	_, err := p.call(ctx, "unmap "+string(protocol), PMPRequest{Opcode: opcode(protocol), Internal: internal})
	return err
}

func opcode(p Protocol) byte {
	if p == UDP {
		return PMPMapUDP
	}
	return PMPMapTCP
}
