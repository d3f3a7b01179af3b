package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"peerlab/nat"
	"peerlab/turnsrv"
	"peerlab/web"
)

// status gathers what the pages show. Each part answers from what it has; none
// is asked to work.
func (a *app) status(context.Context) web.Status {
	local, lan := openURLs(a.listen)
	hub := a.rooms.Stats()
	return web.Status{
		Version: version(),
		Started: a.started,
		URLs:    append(local, lan...),
		Relay:   a.relayStatus(),
		Mapping: a.mappingStatus(),
		NAT:     a.natStatus(),
		Rooms: web.Census{
			Rooms: hub.Rooms, Peers: hub.Peers,
			Created: hub.Created, Messages: hub.Signals, Dropped: hub.Dropped,
		},
	}
}

func (a *app) relayStatus() web.Relay {
	if external, ok := a.ice.(*externalICE); ok {
		s := web.Relay{Mode: web.RelayExternal}
		for _, server := range external.list {
			s.Addrs = append(s.Addrs, server.URLs...)
		}
		return s
	}
	if a.relay == nil {
		return web.Relay{Mode: web.RelayOff}
	}
	stats := a.relay.server.Stats()
	return web.Relay{
		Mode:        web.RelayOwn,
		Addrs:       []string{"udp " + a.relay.listen.String(), "tcp " + a.relay.listen.String()},
		RelayIP:     a.relay.ip.String(),
		Allocations: stats.Allocations,
		Limit:       int(a.relay.ports.Max) - int(a.relay.ports.Min) + 1,
		Bytes:       stats.ToPeer.Bytes + stats.ToClient.Bytes,
		Packets:     stats.ToPeer.Packets + stats.ToClient.Packets,
		Refusals:    refusals(stats),
	}
}

// refusals puts what was refused, unauthenticated and dropped side by side.
func refusals(stats turnsrv.Stats) map[string]uint64 {
	all := maps.Clone(stats.Refused)
	maps.Copy(all, stats.AuthFailures)
	maps.Copy(all, stats.Dropped)
	return all
}

func (a *app) mappingStatus() web.Mapping {
	if a.mapper == nil {
		return web.Mapping{State: web.MappingOff, Detail: "The server listens on this machine only, so there is nothing to map."}
	}
	s := a.mapper.Status()
	m := web.Mapping{Detail: s.Reason}
	switch s.State {
	case nat.StateMapped:
		m.State = web.MappingActive
	case nat.StateSearching, nat.StateRemoving:
		m.State = web.MappingSearching
	case nat.StateNoGateway:
		m.State, m.Detail = web.MappingFailed, "No router answered by UPnP. It may be switched off there; ports can still be forwarded by hand."
	case nat.StateFailed:
		m.State = web.MappingFailed
	default:
		m.State = web.MappingOff
	}
	if s.Gateway != nil {
		m.Gateway, m.External = s.Gateway.Name, s.Gateway.External
	}
	var problems []string
	for _, slot := range s.Mappings {
		if slot.Mapped {
			m.Ports = append(m.Ports, web.MappedPort{
				Protocol: string(slot.Protocol), External: int(slot.External), Internal: int(slot.InternalPort), Expires: slot.Expires,
			})
		}
		if slot.Error != "" {
			problems = append(problems, fmt.Sprintf("%s %d: %s", slot.Protocol, slot.InternalPort, slot.Error))
		}
	}
	if m.Detail == "" {
		m.Detail = strings.Join(problems, "; ")
	}
	return m
}

func (a *app) natStatus() web.NAT {
	report, checking := a.address.last()
	n := web.NAT{State: web.NATUnknown}
	if report != nil {
		n.State, n.Kind, n.Sentence = web.NATKnown, kindInWords(report.Verdict.Kind), report.Verdict.Sentence
		n.CheckedAt, n.Took = report.At, report.Took
		if report.Verdict.Kind == nat.Unknown {
			n.State = web.NATFailed
		}
		n.Addresses = addresses(report)
	}
	if checking {
		n.State = web.NATChecking
	}
	return n
}

func addresses(report *nat.Report) []web.NamedAddr {
	var list []web.NamedAddr
	add := func(name string, a netip.Addr) {
		if a.IsValid() {
			list = append(list, web.NamedAddr{Name: name, Addr: a.String()})
		}
	}
	for _, a := range report.Local {
		add("this machine", a)
	}
	if report.Gateway != nil {
		add("the router, by its own word", report.Gateway.External)
	}
	add("as the internet sees it", report.STUN.Addr())
	return list
}

func kindInWords(k nat.VerdictKind) string {
	switch k {
	case nat.Direct:
		return "no NAT"
	case nat.SingleNAT:
		return "one NAT"
	case nat.DoubleNAT:
		return "two NATs"
	case nat.CGNAT:
		return "carrier NAT"
	default:
		return "not known"
	}
}
