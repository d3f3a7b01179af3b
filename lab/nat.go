package lab

import (
	"fmt"
	"net/netip"
	"strings"

	"peerlab/netsim"
	"peerlab/trace"
)

// maxShown is how many of those that a mapping lets in are told of.
const maxShown = 4

// NAT puts a NAT on the emulated network, as netsim.Net.NAT does: a lane whose
// states are its mappings, as they come and go. The loopback has none: the
// error is ErrNoLink there.
func (r *Run) NAT(name string, cfg netsim.NATConfig) (*netsim.NAT, error) {
	return r.nat(name, cfg, func(cfg netsim.NATConfig) (*netsim.NAT, error) {
		n, err := r.netLocked()
		if err != nil {
			return nil, err
		}
		return n.NAT(name, cfg)
	})
}

// NATBehind puts a NAT behind another one.
func (r *Run) NATBehind(outer *netsim.NAT, name string, cfg netsim.NATConfig) (*netsim.NAT, error) {
	return r.nat(name, cfg, func(cfg netsim.NATConfig) (*netsim.NAT, error) { return outer.NAT(name, cfg) })
}

// HostBehind is Host, on the inside of a NAT of this run or variant.
func (r *Run) HostBehind(nat *netsim.NAT, name string) (*Host, error) {
	return r.host(name, func() (*netsim.Host, error) { return nat.Host(name) })
}

// Router is the NAT itself as a host, on its inside, for services that routers
// have.
func (r *Run) Router(nat *netsim.NAT) (*Host, error) {
	return r.host(nat.Name(), nat.Router)
}

func (r *Run) nat(name string, cfg netsim.NATConfig, place func(netsim.NATConfig) (*netsim.NAT, error)) (*netsim.NAT, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Network() != Link {
		return nil, ErrNoLink
	}
	if err := r.validLane(name); err != nil {
		return nil, err
	}
	if also := cfg.OnChange; r.line == nil || !r.line.Quiet {
		cfg.OnChange = func(c netsim.MappingChange) {
			r.mapping(c)
			if also != nil {
				also(c)
			}
		}
	}
	nat, err := place(cfg)
	if err != nil {
		return nil, fmt.Errorf("emulated link: %w", err)
	}
	r.nats = append(r.nats, nat)
	return nat, nil
}

// mapping records a line of a NAT's table as a state.
func (r *Run) mapping(c netsim.MappingChange) {
	key := fmt.Sprintf("%s %s → %s", c.Proto, c.Inside, c.External)
	value := ""
	if !c.Gone {
		value = letsIn(c.Mapping)
	}
	r.Add(trace.Event{
		Kind: trace.State, Layer: mappingLayer(c.Proto), From: c.NAT, Name: key, Text: value,
		Attrs: mappingAttrs(c),
	})
}

func mappingLayer(proto string) trace.Layer {
	switch proto {
	case "tcp":
		return trace.TCP
	case "udp":
		return trace.UDP
	}
	return trace.IP
}

// endpoint is an address with its port, if it is about one.
func endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// letsIn says in words whom a mapping lets in.
func letsIn(m netsim.Mapping) string {
	switch {
	case m.Static:
		return "forwarded, lets in anybody"
	case m.Anybody:
		return "lets in anybody"
	}
	var who []string
	for i, a := range m.LetsIn {
		if i == maxShown {
			who = append(who, fmt.Sprintf("%d more", len(m.LetsIn)-maxShown))
			break
		}
		who = append(who, endpoint(a))
	}
	return "lets in " + strings.Join(who, ", ")
}

func mappingAttrs(c netsim.MappingChange) map[string]string {
	attrs := map[string]string{}
	if c.Gone {
		attrs["gone"] = c.Why
	}
	if c.Toward.IsValid() {
		attrs["only toward"] = endpoint(c.Toward)
	}
	return attrs
}
