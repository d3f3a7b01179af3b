package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// ErrNetwork is returned for a network a Dialer doesn't know.
var ErrNetwork = errors.New("guard: network is not one of tcp, tcp4, tcp6, udp, udp4, udp6")

// ReasonPort says that a port was refused, whatever the address.
const ReasonPort Reason = "port"

// Refused is the error for a destination that the policy does not allow.
type Refused struct {
	// Host is what was asked for: a name or an address.
	Host string
	// Addr is the address that was refused: the first of them, if Host had several.
	Addr netip.AddrPort
	// Reason is the class of the address that was in the way, or ReasonPort.
	Reason Reason
}

func (r *Refused) Error() string {
	if r.Reason == ReasonPort {
		return fmt.Sprintf("connecting to port %d of %s is not allowed here", r.Addr.Port(), r.Host)
	}
	if r.Host == r.Addr.Addr().String() {
		return fmt.Sprintf("connecting to %s is not allowed here: it is a %s address", r.Host, r.Reason)
	}
	return fmt.Sprintf("connecting to %s is not allowed here: it leads to %s, a %s address", r.Host, r.Addr.Addr(), r.Reason)
}

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// maxAnswers bounds how many addresses of one name are tried.
const maxAnswers = 16

// Dialer connects to addresses that a policy allows and to no others:
//
//	name ─ look up once ─▶ addresses ─ Extra or Policy.Allow, and Port ─▶ dial this one literally
//	                          └─ none allowed: *Refused                      └─ checked again on the socket
//
// A name is looked up once and what is dialled is the address that was
// checked, so that a name server can't answer differently the second time (DNS
// rebinding). Who follows redirects has to dial each of them by the Dialer. The
// zero Dialer allows public addresses.
type Dialer struct {
	// Policy says which classes of address may be reached.
	Policy Policy
	// Extra allows addresses beyond the policy, such as a lab's own server. An
	// IPv4-mapped address comes as IPv4. nil allows none.
	Extra func(netip.AddrPort) bool
	// Port says which ports may be reached, those of Extra aside; nil allows all but 0.
	Port func(uint16) bool
	// Resolver looks names up; nil is net.DefaultResolver.
	Resolver Resolver
	// Timeout bounds looking up and connecting together; 0 is what ctx says.
	Timeout time.Duration
}

// DialContext connects to address, "host:port" with a numeric port. network is
// tcp, tcp4, tcp6, udp, udp4 or udp6. Addresses are tried one after the other,
// in the order of the answer, the refused ones left out. The error is *Refused
// if none is allowed, what the lookup said, or what the last attempt said.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	family, err := family(network)
	if err != nil {
		return nil, err
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("guard: dialling %q: %w", address, err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("guard: dialling %q: the port is not a number from 0 to 65535", address)
	}
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	answers, err := d.lookup(ctx, family, host)
	if err != nil {
		return nil, fmt.Errorf("guard: looking up %q: %w", host, err)
	}
	var refused *Refused
	var allowed []netip.AddrPort
	for _, a := range answers {
		to := netip.AddrPortFrom(a.Unmap(), uint16(port))
		if err := d.check(host, to); err == nil {
			allowed = append(allowed, to)
		} else if refused == nil {
			refused = err
		}
	}
	if len(allowed) == 0 {
		return nil, refused
	}
	return d.dial(ctx, network, host, allowed)
}

// lookup finds the addresses of host, which may be one itself.
func (d *Dialer) lookup(ctx context.Context, family, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if host == "" { // package net would take it for this machine
		return nil, &net.DNSError{Err: "empty host name", Name: host, IsNotFound: true}
	}
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	answers, err := resolver.LookupNetIP(ctx, family, host)
	if err == nil && len(answers) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return answers[:min(len(answers), maxAnswers)], err
}

// check judges one address.
func (d *Dialer) check(host string, to netip.AddrPort) *Refused {
	if d.Extra != nil && d.Extra(to) {
		return nil
	}
	if reason, ok := d.Policy.Allow(to.Addr()); !ok {
		return &Refused{Host: host, Addr: to, Reason: reason}
	}
	if to.Port() == 0 || d.Port != nil && !d.Port(to.Port()) {
		return &Refused{Host: host, Addr: to, Reason: ReasonPort}
	}
	return nil
}

// dial tries addresses that were checked, until one connects.
func (d *Dialer) dial(ctx context.Context, network, host string, to []netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{
		// The last word is on the address the socket is given: should anything
		// above be wrong one day, this still holds.
		Control: func(_, address string, _ syscall.RawConn) error {
			actual, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("guard: not a literal address: %q", address)
			}
			if refused := d.check(host, netip.AddrPortFrom(actual.Addr().Unmap(), actual.Port())); refused != nil {
				return refused
			}
			return nil
		},
	}
	var last error
	for i, a := range to {
		attempt, cancel := share(ctx, len(to)-i)
		conn, err := dialer.DialContext(attempt, network, a.String())
		cancel()
		if err == nil {
			return conn, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("guard: dialling %q: %w", host, last)
}

// share gives one of n attempts its part of the time that is left.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok || n < 2 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(n))
}

// family is what a resolver calls the addresses of a network.
func family(network string) (string, error) {
	switch network {
	case "tcp", "udp":
		return "ip", nil
	case "tcp4", "udp4":
		return "ip4", nil
	case "tcp6", "udp6":
		return "ip6", nil
	default:
		return "", fmt.Errorf("%w: %q", ErrNetwork, network)
	}
}
