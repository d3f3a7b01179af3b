package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/signaling"
	"peerlab/web"
)

// app is the program's parts, put together.
type app struct {
	flags   *flags
	log     *slog.Logger
	started time.Time
	listen  netip.AddrPort // of the pages

	rooms   *signaling.Hub
	relay   *relay      // nil without our own
	ice     iceSource   // nil without any
	mapper  *nat.Mapper // nil when no other machine can reach us anyway
	address *addressWatch
	bots    *bots
	labs    *lab.Runner
	handler http.Handler
	// parts run until their context ends.
	parts []func(context.Context) error
}

func newApp(ctx context.Context, f *flags, listener net.Listener, log *slog.Logger) (*app, error) {
	a := &app{flags: f, log: log, started: time.Now()}
	tcp, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("listening on %s: not a TCP address", listener.Addr())
	}
	a.listen = tcp.AddrPort()
	for _, build := range []func(context.Context) error{a.buildRelay, a.buildRooms, a.buildNAT, a.buildBots, a.buildLabs, a.buildPages} {
		if err := build(ctx); err != nil {
			if a.relay != nil {
				a.relay.close()
			}
			return nil, err
		}
	}
	return a, nil
}

// buildRelay sets up our own relay, or somebody else's, or none.
func (a *app) buildRelay(ctx context.Context) error {
	f := a.flags
	if f.ICEServers != "" {
		external, err := readICEServers(f.ICEServers, []byte(f.TurnSecret))
		if err != nil {
			return err
		}
		a.ice = external
		return nil
	}
	if f.TurnAddr == "off" {
		return nil
	}
	var err error
	if a.relay, err = newRelay(ctx, f, a.log.With("part", "relay")); err != nil {
		return err
	}
	a.ice = a.relay
	a.parts = append(a.parts, a.relay.server.Run)
	return nil
}

func (a *app) buildRooms(context.Context) error {
	trusted := a.flags.TrustedProxies
	cfg := signaling.Config{
		MaxPeers: a.flags.MaxPeers,
		// The pages' middleware has checked Host before the hub sees a request.
		CheckOrigin: func(r *http.Request) bool { return sameOrigin(r, a.flags.PublicURL) },
		ClientAddr:  trusted.clientAddr,
		Logger:      a.log.With("part", "rooms"),
	}
	if a.ice != nil {
		cfg.ICE = a.ice.servers
	}
	if a.relay != nil && a.relay.alt != 0 {
		cfg.NATServers = a.relay.stun
	}
	var err error
	a.rooms, err = signaling.NewHub(cfg)
	return err
}

func (a *app) buildNAT(context.Context) error {
	log := a.log.With("part", "nat")
	finder := nat.NewFinder(log)
	checker, err := nat.NewChecker(nat.CheckerConfig{STUNServers: a.flags.StunServers, Discoverer: finder, Logger: log})
	if err != nil {
		return fmt.Errorf("--stun-servers: %w", err)
	}
	a.address = newAddressWatch(checker)
	a.parts = append(a.parts, a.address.run)
	if a.flags.UPnP {
		a.address.check()
	}
	if a.listen.Addr().IsLoopback() {
		return nil
	}
	a.mapper, err = nat.NewMapper(nat.MapperConfig{
		Mappings: a.mappings(), Discoverer: finder, Enabled: a.flags.UPnP, Logger: log,
	})
	if err != nil {
		return err
	}
	a.parts = append(a.parts, a.mapper.Run)
	return nil
}

// mappings are the ports worth opening: the pages', the relay's, and the range
// behind it if that is small.
func (a *app) mappings() []nat.Mapping {
	list := []nat.Mapping{{Protocol: nat.TCP, InternalPort: a.listen.Port(), Description: "Peerlab pages"}}
	if a.relay != nil {
		port := a.relay.listen.Port()
		list = append(list,
			nat.Mapping{Protocol: nat.UDP, InternalPort: port, Exact: true, Description: "Peerlab relay UDP"},
			nat.Mapping{Protocol: nat.TCP, InternalPort: port, Exact: true, Description: "Peerlab relay TCP"})
		if a.relay.alt != 0 {
			list = append(list, nat.Mapping{Protocol: nat.UDP, InternalPort: a.relay.alt, Exact: true, Description: "Peerlab STUN, second port"})
		}
		list = append(list, a.relayMappings(nat.MaxMappings-len(list))...)
	}
	return list
}

// relayMappings is the relay's whole range if at most n ports, else nothing:
// half a range would give out addresses that nobody reaches. Two peers that
// both use the relay meet inside it and need none of this.
func (a *app) relayMappings(n int) []nat.Mapping {
	low, high := a.relay.ports.Min, a.relay.ports.Max
	if int(high-low)+1 > n {
		return nil
	}
	list, err := nat.RelayMappings(low, high, n)
	if err != nil {
		a.log.Warn("not mapping the relay's ports", "err", err)
	}
	return list
}

func (a *app) buildPages(context.Context) error {
	hosts := newHostList(machineName(), a.flags.PublicURL, a.flags.AllowedHosts)
	cfg := web.Config{
		Rooms:        a.rooms,
		Status:       a.status,
		ClientAddr:   a.flags.TrustedProxies.clientAddr,
		AllowedHosts: hosts.allows,
		ShareURLs:    a.shareURLs,
		Invite:       a.bots.invite,
		CheckNAT:     func(context.Context) error { a.address.check(); return nil },
		Labs:         a.labs,
		Logger:       a.log.With("part", "web"),
	}
	if a.relay != nil && a.relay.alt != 0 {
		cfg.STUN = func(r *http.Request) []string { return a.relay.stun(r.Host) }
	}
	if a.mapper != nil {
		cfg.MapPorts = a.mapPorts
	}
	var err error
	a.handler, err = web.New(cfg)
	return err
}

func (a *app) mapPorts(_ context.Context, on bool) error {
	if on {
		a.mapper.Enable()
		a.address.check() // a mapping is only worth something without a second NAT
	} else {
		a.mapper.Disable()
	}
	return nil
}

// shareURLs are the URLs that others can use, best first: the public one, the
// mapped port at the router's outside address, this machine's LAN addresses.
func (a *app) shareURLs(*http.Request) []string {
	var urls []string
	add := func(u string) { urls = append(urls, strings.TrimSuffix(u, "/")) }
	if public := a.flags.PublicURL; public.set != nil {
		add(public.set.String())
	}
	if a.mapper != nil {
		s := a.mapper.Status()
		for _, m := range s.Mappings {
			if m.Mapped && m.Protocol == nat.TCP && m.InternalPort == a.listen.Port() && s.Gateway != nil && s.Gateway.External.IsValid() {
				add("http://" + net.JoinHostPort(s.Gateway.External.String(), strconv.Itoa(int(m.External))))
			}
		}
	}
	_, lan := openURLs(a.listen)
	for _, u := range lan {
		add(u)
	}
	return urls
}

// announce prints where the server can be opened.
func (a *app) announce(w io.Writer) {
	local, lan := openURLs(a.listen)
	fmt.Fprintln(w, "Peerlab is open at")
	for _, u := range local {
		fmt.Fprintf(w, "  %-40s on this machine\n", u)
	}
	for _, u := range lan {
		fmt.Fprintf(w, "  %-40s on this network\n", u)
	}
	if public := a.flags.PublicURL; public.set != nil {
		fmt.Fprintf(w, "  %-40s for everybody\n", public.set.String()+"/")
	}
	switch {
	case a.relay != nil:
		fmt.Fprintf(w, "The relay listens on UDP and TCP %s and is reached at %s.\n", a.relay.listen, a.relay.ip)
		if a.relay.alt != 0 {
			fmt.Fprintf(w, "STUN listens on UDP port %d as well.\n", a.relay.alt)
		}
	case a.ice != nil:
		fmt.Fprintln(w, "The relay is somebody else's, as --ice-servers says.")
	default:
		fmt.Fprintln(w, "There is no relay: peers that cannot reach each other directly will fail.")
	}
	fmt.Fprintln(w, "Press Ctrl-C to stop.")
}
