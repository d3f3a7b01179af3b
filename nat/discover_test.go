package nat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/lab/labtest"
	"peerlab/nat"
	"peerlab/netsim"
	"peerlab/turnsrv"
)

// internet is an emulated one with a STUN server on two addresses.
type internet struct {
	t       testing.TB
	net     *netsim.Net
	ctx     context.Context
	running sync.WaitGroup
	servers [2]*netsim.Host
}

func newInternet(t testing.TB) *internet {
	t.Helper()
	n, err := netsim.New(netsim.Config{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Link: netsim.Link{Delay: 2 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	in := &internet{t: t, net: n}
	ctx, cancel := context.WithCancel(context.Background())
	in.ctx = ctx
	t.Cleanup(func() { cancel(); in.running.Wait(); n.Close() })
	for i := range in.servers {
		if in.servers[i], err = n.Host(fmt.Sprintf("stun-%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func (in *internet) socket(h *netsim.Host, port int) net.PacketConn {
	in.t.Helper()
	pc, err := h.ListenPacket("udp", fmt.Sprintf(":%d", port))
	if err != nil {
		in.t.Fatal(err)
	}
	return pc
}

// respond runs a server on the first addresses, and tells where to ask it.
func (in *internet) respond(hosts ...*netsim.Host) netip.AddrPort {
	in.t.Helper()
	var c turnsrv.Corners
	for i, h := range hosts {
		c[i] = [2]net.PacketConn{in.socket(h, 3478), in.socket(h, 3479)}
	}
	server, err := turnsrv.NewResponder(turnsrv.ResponderConfig{}, c)
	if err != nil {
		in.t.Fatal(err)
	}
	in.running.Go(func() {
		if err := server.Run(in.ctx); err != nil {
			in.t.Error(err)
		}
	})
	return netip.AddrPortFrom(hosts[0].Addr(), 3478)
}

// inside is a host behind a NAT, or without one.
func (in *internet) inside(cfg *netsim.NATConfig) *netsim.Host {
	in.t.Helper()
	if cfg == nil {
		h, err := in.net.Host("open")
		if err != nil {
			in.t.Fatal(err)
		}
		return h
	}
	router, err := in.net.NAT("nat", *cfg)
	if err != nil {
		in.t.Fatal(err)
	}
	h, err := router.Host("in")
	if err != nil {
		in.t.Fatal(err)
	}
	return h
}

func opener(h *netsim.Host) nat.Opener {
	return func() (net.PacketConn, error) { return h.ListenPacket("udp", ":0") }
}

func (in *internet) discover(h *netsim.Host, servers ...netip.AddrPort) nat.Discovery {
	in.t.Helper()
	found, err := nat.DiscoverBehavior(in.t.Context(), nat.DiscoverConfig{Open: opener(h), Servers: servers, Dial: h.DialContext})
	if err != nil {
		in.t.Error(err)
	}
	return found
}

var dependences = []netsim.Dependence{netsim.EndpointIndependent, netsim.AddressDependent, netsim.AddressAndPortDependent}

// lessOf is what two ports of one address can tell of a dependence.
func lessOf(d netsim.Dependence) nat.Dependence {
	if d == netsim.AddressAndPortDependent {
		return nat.AddressAndPortDependent
	}
	return nat.NotPortDependent
}

func TestEveryNATIsToldFromOutside(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // they wait most of the time
	defer all.Wait()
	for _, mapping := range dependences {
		for _, filtering := range dependences {
			all.Go(func() {
				labtest.Settles(t, func(t testing.TB) {
					in := newInternet(t)
					hairpin := mapping == filtering // some with, some without
					cfg := netsim.NATConfig{Mapping: mapping, Filtering: filtering, Hairpin: hairpin}
					if hairpin {
						cfg.Ports = netsim.Random
					}
					h := in.inside(&cfg)
					var one, two nat.Discovery
					two = in.discover(h, in.respond(in.servers[0], in.servers[1]))
					third, err := in.net.Host("stun-3")
					if err != nil {
						t.Fatal(err)
					}
					one = in.discover(h, in.respond(third))

					b := two.Behavior
					if !b.Translated || b.Mapping != nat.Dependence(mapping) || b.Filtering != nat.Dependence(filtering) || len(two.Tests) < 8 {
						t.Errorf("%s mapping, %s filtering: two addresses tell %+v, %q", mapping, filtering, b, two.Untold)
					}
					if b.Preserves == nil || *b.Preserves == hairpin {
						t.Errorf("ports kept: %v", b.Preserves)
					}
					told := b.Hairpin != nil
					if sure := mapping == netsim.EndpointIndependent || filtering == netsim.EndpointIndependent; told != sure && !hairpin || told && *b.Hairpin != hairpin {
						t.Errorf("hairpin %v, want %v; %q", b.Hairpin, hairpin, two.Untold)
					}
					b = one.Behavior
					if !b.Translated || b.Mapping != lessOf(mapping) || b.Filtering != lessOf(filtering) {
						t.Errorf("%s mapping, %s filtering: one address tells %+v, %q", mapping, filtering, b, one.Untold)
					}
					if wide := filtering != netsim.AddressAndPortDependent; wide != strings.Contains(strings.Join(one.Untold, " "), "lets in other addresses") {
						t.Errorf("one address can't tell %q", one.Untold)
					}
				})
			})
		}
	}
}

func TestServersWithOnePortTellLess(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for mapping, want := range map[netsim.Dependence]nat.Dependence{
		netsim.EndpointIndependent: nat.EndpointIndependent, netsim.AddressDependent: nat.DestinationDependent, netsim.AddressAndPortDependent: nat.DestinationDependent,
	} {
		all.Go(func() {
			labtest.Settles(t, func(t testing.TB) {
				in := newInternet(t)
				h := in.inside(&netsim.NATConfig{Mapping: mapping, Filtering: netsim.AddressDependent})
				first, second := in.plain(in.servers[0]), in.plain(in.servers[1])
				found := in.discover(h, first, second)
				if b := found.Behavior; b.Mapping != want || b.Filtering != "" || !strings.Contains(strings.Join(found.Untold, " "), "no other address or port") {
					t.Errorf("%s: %+v, %q", mapping, b, found.Untold)
				}
				if found := in.discover(h, first); found.Behavior.Known() || !strings.Contains(found.Untold[0], "it takes two") {
					t.Errorf("one server: %+v, %q", found.Behavior, found.Untold)
				}
			})
		})
	}
}

func TestNoNATIsTold(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		in := newInternet(t)
		found := in.discover(in.inside(nil), in.respond(in.servers[0], in.servers[1]))
		if b := found.Behavior; b.Translated || b.Mapping != nat.EndpointIndependent || b.Filtering != nat.EndpointIndependent || b.Kind() != "no NAT" {
			t.Errorf("%+v, %q", b, found.Untold)
		}
		if found.Local != found.Mapped {
			t.Errorf("%s is seen as %s", found.Local, found.Mapped)
		}
	})
}

func TestAWallIsToldFromNoInternet(t *testing.T) {
	t.Parallel()
	in := newInternet(t)
	server := in.respond(in.servers[0])
	if _, err := in.servers[0].Listen("tcp", ":3478"); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	wall, open := in.inside(&netsim.NATConfig{BlockUDP: true}), in.inside(nil)
	both.Go(func() {
		if found := in.discover(wall, server); !found.Behavior.Blocked || found.Behavior.Kind() != "UDP blocked" {
			t.Errorf("a wall: %+v, %q", found.Behavior, found.Untold)
		}
	})
	both.Go(func() {
		nobody := netip.AddrPortFrom(in.servers[1].Addr(), 9)
		if found := in.discover(open, nobody); found.Behavior.Known() || len(found.Untold) != 1 || !strings.Contains(found.Untold[0], "TCP either") {
			t.Errorf("nobody: %+v, %q", found.Behavior, found.Untold)
		}
	})
	both.Wait()
}

func TestDiscoveryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	in := newInternet(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := in.inside(nil)
	_, err := nat.DiscoverBehavior(ctx, nat.DiscoverConfig{Open: opener(h), Servers: []netip.AddrPort{in.respond(in.servers[0])}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for _, servers := range [][]netip.AddrPort{nil, make([]netip.AddrPort, 9), {netip.MustParseAddrPort("[::1]:3478")}, {netip.MustParseAddrPort("192.0.2.1:0")}} {
		if _, err := nat.DiscoverBehavior(t.Context(), nat.DiscoverConfig{Open: opener(h), Servers: servers}); !errors.Is(err, nat.ErrServers) {
			t.Errorf("%v: %v", servers, err)
		}
	}
}
