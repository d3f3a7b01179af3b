// Package nat finds out what stands between this host and the internet, and
// opens ports in it when asked to.
//
//	           SSDP M-SEARCH           HTTP GET              SOAP
//	Finder ──────────────────▶ answer ─────────▶ description ─────▶ []*Gateway
//	 (every interface)         (vetted)          (vetted)               │
//	                                                                    ▼
//	Mapper: off ─▶ searching ─▶ mapped ─▶ renew at half-life ─▶ removed on exit
//
//	STUN Binding ──▶ the address the internet sees ─┐
//	Gateway.External, the address the router has ───┼──▶ Judge ──▶ Verdict, a sentence for people
//	local interface addresses ──────────────────────┘
//
//	DiscoverBehavior, asking from several sockets ──▶ evidence ──▶ Behavior ──▶ Predict, for two
//	MeasureLifetime ──▶ Behavior.Lifetime
//	Gateway.Map, Lookup, Unmap and PMP.Map, Unmap: single calls, for who wants to see them
//
// UPnP is spoken as UPnP Device Architecture 1.1 (SSDP and descriptions) and
// the Internet Gateway Device profiles 1 and 2: WANIPConnection:1 and :2 and
// WANPPPConnection:1. STUN is a Binding request of RFC 5389, retransmitted as
// section 7.2.1 says; how a NAT behaves is found out as RFC 5780 section 4 says.
// NAT-PMP is RFC 6886, asked only by a PMP; the Mapper does not. Finder and PMP
// can be given the sockets of another host (Network), and somebody who hears of
// every message (Observer).
//
// UPnP has no authentication, so whatever answers is treated as hostile: a
// description is fetched only from the very address that answered, which must
// be a private address on the link we asked on; sizes, times and counts are
// bounded and redirects refused. What cannot be helped is that any host of the
// LAN may answer as a gateway for itself.
//
// The package does not speak PCP, opens no IPv6 pinholes, and changes nothing in
// a router that it did not put there.
package nat
