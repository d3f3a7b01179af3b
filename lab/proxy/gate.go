package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"peerlab/guard"
	"peerlab/lab"
)

// refusal is the error for a target the forward proxy does not go to. Its text
// is for the person who asked.
type refusal struct {
	target string
	why    error
}

func (r *refusal) Error() string {
	return fmt.Sprintf("does not go to %s: %v", clip(r.target), r.why)
}

func (r *refusal) Unwrap() error { return r.why }

// Why a target is refused, besides a *guard.Refused.
var (
	errTarget   = errors.New("the target must be a host and a port")
	errPort     = errors.New("this proxy is for the web: ports 80, 443, 8080 and 8443")
	errNoWayOut = errors.New("it is no target of this run, and from here there is no way to any other")
)

// webPorts are those of targets outside that may be reached. A proxy that
// connects to port 25 sends other people's mail.
var webPorts = []uint16{80, 443, 8080, 8443}

// gate decides where the forward proxy goes.
type gate struct {
	own     []string // host:port of the run's own targets
	outside bool     // there is a way to others
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// dialTime is how long looking up and connecting may take.
const dialTime = 10 * time.Second

// region gate

// connect goes to a target that is the run's own, or a public address. Names
// are looked up by the dialer, once, and it connects to the address it checked:
// a name that leads to 127.0.0.1 is judged by where it leads. What comes back is
// looked at once more.
func (g *gate) connect(ctx context.Context, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if slices.Contains(g.own, target) {
		return g.dial(ctx, "tcp", target)
	}
	if err := g.judge(target); err != nil {
		return nil, &refusal{target, err}
	}
	c, err := g.dial(ctx, "tcp", target)
	if refused := new(guard.Refused); errors.As(err, &refused) {
		return nil, &refusal{target, refused}
	}
	if errors.Is(err, lab.ErrNotOurs) {
		return nil, &refusal{target, errNoWayOut}
	}
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if err := public(c.RemoteAddr().String(), target); err != nil {
		c.Close()
		return nil, &refusal{target, err}
	}
	return c, nil
}

// judge refuses what can be refused without a lookup.
func (g *gate) judge(target string) error {
	host, service, err := net.SplitHostPort(target)
	port, bad := strconv.ParseUint(service, 10, 16)
	if err != nil || bad != nil || port == 0 || host == "" || len(host) > 253 {
		return errTarget
	}
	if _, err := netip.ParseAddr(host); err == nil {
		if err := public(target, host); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains(webPorts, uint16(port)):
		return errPort
	case !g.outside:
		return errNoWayOut
	}
	return nil
}

// public refuses addresses of every class but public ones, whatever form
// they are written in.
func public(address, host string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errTarget
	}
	if reason, ok := guard.Public.Allow(to.Addr()); !ok {
		return &guard.Refused{Host: host, Addr: to, Reason: reason}
	}
	return nil
}

// endregion

func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
