// Package netlab builds small internets out of Linux network namespaces, for
// tests that want real NATs between real programs.
//
//	           WAN 25.0.0.0/24 (a bridge)
//	   ┌──────────────┬──────────────┐
//	server         router         router         each box is a namespace
//	25.0.0.10      25.0.0.11      25.0.0.12
//	                  │ NAT           │ NAT
//	           LAN 192.168.1.0/24  LAN 192.168.2.0/24
//	                  │               │
//	                alice            bob
//
// Routers translate with nftables masquerading, so their behaviour is that of
// a Linux home router: endpoint-independent mapping with address and
// port-dependent filtering (Cone), or address and port-dependent mapping
// (Symmetric), in the words of RFC 4787 sections 4 and 5.
//
// What it does not do: IPv6 (switched off everywhere), DNS (names do not
// resolve, and fail at once), delay and loss. Nothing in a lab can reach the
// machine's own network.
//
// Namespaces are named after the process that made them. They go when the test
// ends; those of a process that was killed are swept away by the next lab.
package netlab

import (
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"

	"peerlab/need"
)

// Lab is one internet. Its methods, and those of all things in it, end the
// test when the machine refuses.
type Lab struct {
	// WAN is the segment every path leads over. It has public-looking
	// addresses, because programs treat reserved ones differently.
	WAN *Segment

	t      testing.TB
	prefix string
	lans   int
}

// labs numbers the labs of this process, which may run at the same time.
var labs atomic.Int64

// New makes a lab with an empty WAN. It is removed when the test ends; a
// process still running in it then is killed and fails the test.
func New(t testing.TB) *Lab {
	t.Helper()
	need.Root(t)
	need.Tool(t, "ip", "iproute2")
	need.Tool(t, "nft", "nftables")
	need.Tool(t, "conntrack", "conntrack")
	if err := Sweep(); err != nil {
		t.Fatalf("netlab: sweep: %v", err)
	}
	lab := &Lab{t: t, prefix: fmt.Sprintf("pl%d-%d-", os.Getpid(), labs.Add(1))}

	ns := lab.namespace("wan")
	lab.WAN = lab.segment(ns, netip.MustParsePrefix("25.0.0.1/24"))
	// Forward, but have no route: traffic for the rest of the world is answered
	// with "network unreachable" at once instead of timing out.
	lab.must(ns.sysctl("net/ipv4/ip_forward", "1"))
	return lab
}

// namespace adds a namespace that goes when the test ends.
func (l *Lab) namespace(name string) *namespace {
	l.t.Helper()
	ns, err := newNamespace(l.prefix + name)
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
	l.t.Cleanup(func() {
		killed, err := ns.remove()
		if err != nil {
			l.t.Errorf("netlab: %v", err)
		}
		for _, process := range killed {
			l.t.Errorf("netlab: process still ran in %s: %s", name, process)
		}
	})
	return ns
}

// nextLAN is the router's own address and the network of the next LAN.
func (l *Lab) nextLAN() netip.Prefix {
	l.lans++
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(l.lans), 1}), 24)
}

// must ends the test on an error.
func (l *Lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
}
