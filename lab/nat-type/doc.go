// Package nattype is the lab that finds out what is in front of a host: how it is
// translated and filtered (RFC 5780), how long a mapping lives, and with whom that
// lets it connect directly.
//
//	link      client ── nat ── internet ── stun-1, stun-2      all emulated; the verdict stands beside the truth
//	loopback  this machine ── itself; this machine ── what is really there ── STUN servers on the internet
//	either    a visitor's browser ── what is really there ── this server's STUN ports
package nattype
