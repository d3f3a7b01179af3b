package nat

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	searchTime   = 2 * time.Second        // for answers to the multicast
	discoverTime = 3 * time.Second        // for all of Discover
	settleTime   = 300 * time.Millisecond // for more gateways, once there is one
	maxProbes    = 4                      // descriptions fetched at a time
)

// Finder searches the networks of this host for Internet Gateway Devices. It
// keeps nothing between searches and may be used from many goroutines.
type Finder struct {
	log   *slog.Logger
	see   Observer
	ssdp  netip.AddrPort // where M-SEARCH goes
	links func() ([]link, error)
}

// FinderConfig says where a Finder searches. The zero one is for the networks
// of this host.
type FinderConfig struct {
	// Network, if not nil, is searched in place of the interfaces of this host,
	// which has the address Local there; the bits of Local tell who is a neighbour.
	Network Network
	Local   netip.Prefix
	// Observer may be nil.
	Observer Observer
	// Logger may be nil.
	Logger *slog.Logger
}

// NewFinder makes a Finder for the networks of this host. A nil logger is silent.
func NewFinder(log *slog.Logger) *Finder { return NewFinderOn(FinderConfig{Logger: log}) }

// NewFinderOn makes a Finder.
func NewFinderOn(cfg FinderConfig) *Finder {
	f := &Finder{
		log:  orSilent(cfg.Logger),
		see:  cfg.Observer,
		ssdp: netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 255, 255, 250}), 1900),
	}
	f.links = func() ([]link, error) { return links(f.ssdp) }
	if cfg.Network != nil {
		f.links = func() ([]link, error) { return []link{linkOn(cfg.Network, cfg.Local)}, nil }
	}
	return f
}

func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// Discover searches every private IPv4 network of this host and returns the
// WAN connections that answered, the most useful first: connected ones before
// others, and of one device newer services before older. It takes 2 s without an answer, less
// with one, never over 3 s. Where nothing answers, the error is ErrNoGateway.
func (f *Finder) Discover(callerCtx context.Context) ([]*Gateway, error) {
	ctx, cancel := context.WithTimeout(callerCtx, discoverTime)
	defer cancel()
	searchCtx, stopSearch := context.WithTimeout(ctx, searchTime)
	defer stopSearch()

	links, err := f.links()
	if err != nil {
		return nil, fmt.Errorf("discover gateways: %w", err)
	}
	var (
		work   sync.WaitGroup
		probes = make(chan struct{}, maxProbes)
		found  = make(chan []*Gateway)
	)
	probe := func(c candidate) {
		select {
		case probes <- struct{}{}:
			defer func() { <-probes }()
		case <-ctx.Done():
			return
		}
		gateways, err := gatewaysOf(ctx, c, f.see)
		if err != nil {
			f.log.Debug("not a usable gateway", "location", c.location.String(), "err", err)
			return
		}
		found <- gateways // always received: Discover reads until work is done
	}
	for _, l := range links {
		work.Go(func() {
			err := search(searchCtx, l, f.ssdp, f.see,
				func(c candidate) { work.Go(func() { probe(c) }) },
				func(from netip.Addr, err error) { f.log.Debug("SSDP answer refused", "from", from, "err", err) })
			if err != nil {
				f.log.Debug("cannot search a network", "link", l.name, "err", err)
			}
		})
	}
	go func() { work.Wait(); close(found) }()

	var gateways []*Gateway
	for some := range found {
		if gateways == nil {
			defer time.AfterFunc(settleTime, cancel).Stop()
		}
		gateways = append(gateways, some...)
	}
	if err := callerCtx.Err(); err != nil {
		return nil, fmt.Errorf("discover gateways: %w", err)
	}
	if len(gateways) == 0 {
		return nil, fmt.Errorf("search %d networks: %w", len(links), ErrNoGateway)
	}
	slices.SortStableFunc(gateways, func(a, b *Gateway) int {
		return cmp.Compare(b.usefulness(), a.usefulness())
	})
	return gateways, nil
}

// usefulness ranks gateways: a connection that is up and has an address wins.
func (g *Gateway) usefulness() int {
	switch {
	case g.Connected && g.External.IsValid():
		return 2
	case g.External.IsValid():
		return 1
	default:
		return 0
	}
}
