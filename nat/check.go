package nat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// checkTime bounds a Check: a person is waiting.
const checkTime = 5 * time.Second

// CheckerConfig says where a Checker asks.
type CheckerConfig struct {
	// STUNServers, up to 8, each "host", "host:port" or "stun:host:port". None
	// is fine: then only the router is asked, and nothing leaves the network.
	STUNServers []string
	// Discoverer finds the router; required.
	Discoverer Discoverer
	// Logger may be nil.
	Logger *slog.Logger
}

// Checker finds out our public address. It may be used from many goroutines;
// how often is for its caller to bound.
type Checker struct {
	cfg CheckerConfig
	log *slog.Logger
}

// NewChecker makes a Checker.
func NewChecker(cfg CheckerConfig) (*Checker, error) {
	if cfg.Discoverer == nil {
		return nil, errors.New("address check: no Discoverer")
	}
	if len(cfg.STUNServers) > maxSTUNServers {
		return nil, fmt.Errorf("address check: %d STUN servers, wanted up to %d", len(cfg.STUNServers), maxSTUNServers)
	}
	for _, server := range cfg.STUNServers {
		if _, _, err := ParseServer(server); err != nil {
			return nil, fmt.Errorf("address check: %w", err)
		}
	}
	cfg.STUNServers = slices.Clone(cfg.STUNServers)
	return &Checker{cfg: cfg, log: orSilent(cfg.Logger)}, nil
}

// Report is the outcome of a Check.
type Report struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took_ns"`
	Local   []netip.Addr  `json:"local"`
	Gateway *GatewayInfo  `json:"gateway,omitempty"` // the most useful that answered
	// STUN is how the internet sees us: a NAT that maps by destination shows
	// another port to each server.
	STUN      netip.AddrPort `json:"stun,omitzero"`
	UPnPError string         `json:"upnp_error,omitempty"`
	STUNError string         `json:"stun_error,omitempty"`
	Verdict   Verdict        `json:"verdict"`
}

// Check asks the router and the STUN servers at the same time and judges what
// they say. It takes 5 s at most and always has a Report: what failed is in it.
func (c *Checker) Check(ctx context.Context) Report {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	report := Report{At: time.Now()}
	var asking sync.WaitGroup
	asking.Go(func() {
		gateways, err := c.cfg.Discoverer.Discover(ctx)
		if err != nil {
			report.UPnPError = err.Error()
			return
		}
		report.Gateway = &gateways[0].GatewayInfo
	})
	asking.Go(func() {
		if len(c.cfg.STUNServers) == 0 {
			report.STUNError = "no STUN server is configured"
			return
		}
		addr, err := ExternalBySTUN(ctx, c.cfg.STUNServers)
		if err != nil {
			report.STUNError = err.Error()
			return
		}
		report.STUN = addr
	})
	local, err := LocalAddresses()
	if err != nil {
		c.log.Warn("cannot list local addresses", "err", err)
	}
	asking.Wait()

	report.Local = local
	evidence := Evidence{Local: local, STUN: report.STUN.Addr()}
	if report.Gateway != nil {
		evidence.Router, evidence.UPnP = true, report.Gateway.External
	}
	report.Verdict = Judge(evidence)
	report.Took = time.Since(report.At)
	return report
}
