package portmapping

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"peerlab/nat"
)

// opener opens a port in a router.
type opener interface {
	// find looks for the router and gives its outside address, by its own word.
	find(ctx context.Context) (netip.Addr, error)
	// open asks for a mapping, or renews the one there is; lease 0: for ever.
	open(ctx context.Context, lease time.Duration) (grant, error)
	// stands asks whether the router still has the mapping. Left is what remains
	// of the lease, 0 if there is none.
	stands(ctx context.Context) (ok bool, left time.Duration, err error)
	// shut removes the mapping.
	shut(ctx context.Context) error
}

// grant is what a router has granted.
type grant struct {
	external uint16
	lease    time.Duration // 0: for ever
}

// half is when to renew it.
func (g grant) half() time.Duration {
	if g.lease == 0 {
		return nat.MaxLease
	}
	return g.lease / 2
}

// maxPorts is how many outside ports are tried.
const maxPorts = 8

// upnp opens a port by UPnP.
type upnp struct {
	finder *nat.Finder
	m      nat.Mapping
	gw     *nat.Gateway
}

// region upnp

// find searches by multicast, reads the description of who answers, and asks
// for the address outside.
func (u *upnp) find(ctx context.Context) (netip.Addr, error) {
	gateways, err := u.finder.Discover(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	u.gw = gateways[0]
	return u.gw.External, nil
}

// open asks until a port is free. The refusals are the protocol's: 718, the
// port is somebody else's; 725, this router knows no leases.
func (u *upnp) open(ctx context.Context, lease time.Duration) (grant, error) {
	if u.m.ExternalPort == 0 {
		u.m.ExternalPort = u.m.InternalPort
	}
	for tries := 1; ; tries++ {
		err := u.gw.Map(ctx, u.m, lease)
		refusal, refused := errors.AsType[*nat.Fault](err)
		switch {
		case err == nil:
			return grant{u.m.ExternalPort, lease}, nil
		case !refused || tries == maxPorts:
			return grant{}, err
		case refusal.Code == 718:
			u.m.ExternalPort = max(u.m.ExternalPort+1, 1024)
		case refusal.Code == 725 && lease > 0:
			lease = 0
		default:
			return grant{}, err
		}
	}
}

// stands looks the port up in the router's table, which also tells what is left
// of the lease.
func (u *upnp) stands(ctx context.Context) (bool, time.Duration, error) {
	entry, err := u.gw.Lookup(ctx, u.m.Protocol, u.m.ExternalPort)
	if err != nil || entry == nil || entry.Client != u.gw.Local.String() || entry.Port != u.m.InternalPort {
		return false, 0, err
	}
	return true, entry.Lease, nil
}

// shut looks first whose the mapping is: any program at home may remove any
// other's from many a router.
func (u *upnp) shut(ctx context.Context) error {
	if ours, _, err := u.stands(ctx); err != nil || !ours {
		return err
	}
	return u.gw.Unmap(ctx, u.m.Protocol, u.m.ExternalPort)
}

// endregion
