package netlab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// NAT is how a router translates addresses.
type NAT int

const (
	// Cone keeps one public port for a private socket, whomever it talks to,
	// and lets in only those it has talked to (address and port).
	Cone NAT = iota
	// Symmetric takes a random public port for every destination.
	Symmetric
)

// rule is the nftables statement that translates so.
func (n NAT) rule() string {
	if n == Symmetric {
		return "masquerade fully-random"
	}
	return "masquerade"
}

// Router translates between the segment it is plugged into and its LAN, and
// drops what comes in uninvited. As a Host it is its outside: Addr is the
// public address.
type Router struct {
	*Host
	// LAN is the segment behind the router.
	LAN *Segment

	nat      NAT
	udpOff   bool
	cut      bool
	isolated []netip.Addr
}

// SetNAT changes the kind of translation, and forgets all mappings so that
// flows that are under way feel it too.
func (r *Router) SetNAT(nat NAT) {
	r.lab.t.Helper()
	r.nat = nat
	r.lab.must(r.apply())
	r.ForgetMappings()
}

// ForgetMappings drops all NAT mappings, as a router does when it restarts.
func (r *Router) ForgetMappings() {
	r.lab.t.Helper()
	r.lab.must(run("", "ip", "netns", "exec", r.ns.name, "conntrack", "-F"))
}

// BlockUDP starts or stops dropping UDP in both directions.
func (r *Router) BlockUDP(on bool) {
	r.lab.t.Helper()
	r.udpOff = on
	r.lab.must(r.apply())
}

// Cut drops everything between the LAN and the outside, without a word to
// either. Mappings stay.
func (r *Router) Cut() {
	r.lab.t.Helper()
	r.cut = true
	r.lab.must(r.apply())
}

// Restore ends Cut.
func (r *Router) Restore() {
	r.lab.t.Helper()
	r.cut = false
	r.lab.must(r.apply())
}

// Block drops everything to and from one outside address: one path goes, the
// others stay.
func (r *Router) Block(addr netip.Addr) {
	r.lab.t.Helper()
	r.isolated = append(r.isolated, addr)
	r.lab.must(r.apply())
}

// Unblock ends Block for the address.
func (r *Router) Unblock(addr netip.Addr) {
	r.lab.t.Helper()
	r.isolated = slices.DeleteFunc(r.isolated, func(a netip.Addr) bool { return a == addr })
	r.lab.must(r.apply())
}

// start begins to forward. The three empty chains are where miniupnpd puts the
// port mappings it is asked for.
func (r *Router) start() error {
	if err := r.ns.sysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	if err := r.ns.nft(`table inet filter {
	chain miniupnpd {}
	chain prerouting_miniupnpd {}
	chain postrouting_miniupnpd {}
	chain forward { type filter hook forward priority filter; policy drop; }
	chain input {
		type filter hook input priority filter; policy accept;
		# A stray that got this far would become a connection of the router
		# itself, occupy the port, and make the next mapping use another one.
		iifname "` + nic + `" ct state != { established, related } drop
	}
	chain prerouting {
		type nat hook prerouting priority dstnat;
		iifname "` + nic + `" jump prerouting_miniupnpd
	}
	chain postrouting { type nat hook postrouting priority srcnat; }
}`); err != nil {
		return err
	}
	return r.apply()
}

// apply makes the packet filter agree with the router's fields, in one step.
func (r *Router) apply() error {
	var script strings.Builder
	script.WriteString("flush chain inet filter forward\nflush chain inet filter postrouting\n")
	forward := func(format string, args ...any) {
		fmt.Fprintf(&script, "add rule inet filter forward "+format+"\n", args...)
	}
	if r.cut {
		forward("drop")
	}
	for _, addr := range r.isolated {
		forward("ip daddr %s drop", addr)
		forward("ip saddr %s drop", addr)
	}
	if r.udpOff {
		forward("meta l4proto udp drop")
	}
	forward("ct state established,related accept")
	forward("iifname %q accept", bridge)
	forward("iifname %q jump miniupnpd", nic)

	script.WriteString("add rule inet filter postrouting jump postrouting_miniupnpd\n")
	fmt.Fprintf(&script, "add rule inet filter postrouting oifname %q %s\n", nic, r.nat.rule())
	return r.ns.nft(script.String())
}
