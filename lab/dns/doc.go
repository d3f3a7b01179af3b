// Package dnslab is the lab on the Domain Name System: a small authoritative
// server and two resolvers that ask it, one that believes what it gets and one
// that checks.
//
//	naive   ─┐  UDP, TCP (RFC 1035, 7766) ┌─ server: two zones, one signed
//	careful ─┼─ TLS (RFC 7858) ───────────┤          (RFC 4034), all in memory
//	package ─┘  HTTPS (RFC 8484)          └─ the same answers on every way
//	net
//	forger  ───▶ answers that nobody asked for
//
// Each resolver keeps what it learned (RFC 1035 section 7.4, RFC 2308) and is a
// name server itself, so that dig can see both caches from outside.
//
// Messages are packed and unpacked by miekg/dns; sockets, framing, what counts
// as the answer, the cache, aliases, search lists and what the zone says no to
// are here. Not here: recursion from the root, zone transfers, updates, NSEC3.
package dnslab
