package portmapping

import (
	"context"
	"net/netip"
	"time"

	"peerlab/nat"
)

// pmp opens a port by NAT-PMP.
type pmp struct {
	asker *nat.PMP
	m     nat.Mapping

	granted nat.Granted
	at      time.Time // when that was
}

// region nat-pmp

// find does not search: the router is the default gateway.
func (p *pmp) find(ctx context.Context) (netip.Addr, error) {
	now, err := p.asker.Condition(ctx)
	return now.External, err
}

// open asks once. If the port is taken, the router picks another one.
func (p *pmp) open(ctx context.Context, lease time.Duration) (grant, error) {
	wanted := p.m.InternalPort
	if p.granted.External != 0 {
		wanted = p.granted.External
	}
	granted, err := p.asker.Map(ctx, p.m.Protocol, p.m.InternalPort, wanted, lease)
	if err != nil {
		return grant{}, err
	}
	p.granted, p.at = granted, time.Now()
	return grant{granted.External, granted.Lease}, nil
}

// stands can't look the mapping up, as NAT-PMP has no such request. But each
// answer tells how old the router's table is, and if that is less than it
// should be, the table was lost (RFC 6886 section 3.6).
func (p *pmp) stands(ctx context.Context) (bool, time.Duration, error) {
	now, err := p.asker.Condition(ctx)
	if err != nil {
		return false, 0, err
	}
	passed := time.Since(p.at)
	if now.Uptime+2*time.Second < p.granted.Uptime+passed*7/8 {
		return false, 0, nil
	}
	return true, max(p.granted.Lease-passed, 0), nil
}

func (p *pmp) shut(ctx context.Context) error {
	return p.asker.Unmap(ctx, p.m.Protocol, p.m.InternalPort)
}

// endregion
