// Package guard says which addresses may be dialled or relayed to.
//
// A server that sends packets on behalf of strangers (a TURN relay, a forward
// proxy) is inside a network the strangers are not. Guard keeps them out of it:
//
//	address ─┬─ Classify ────────────── class of the address itself ─┐
//	         └─ Embedded ─ Classify ─── class of every IPv4 in it ───┴─ Policy.Allow ─ yes, or a Reason
//
// Classify knows every row of the IANA special-purpose registries (RFC 6890 and
// its updates), multicast, and the parts of IPv6 nobody was given yet. Embedded
// undoes the ways an IPv4 address travels inside an IPv6 one, since
// 64:ff9b::7f00:1 and 127.0.0.1 can be the same host.
//
// Dialer connects under a policy: it looks a name up once, checks the answers,
// and dials the very address that was checked.
//
// Policies look at addresses only. They know nothing of routes, and not which
// addresses are this host's own: who relays has to check that as well.
package guard
