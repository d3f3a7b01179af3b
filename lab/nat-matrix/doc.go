// Package natmatrix is the lab on NATs and ICE: two agents (RFC 8445), each
// behind a NAT of the visitor's choice, try to connect; and the whole table of
// such pairs, measured.
//
//	peer-a ── nat-a ── [carrier-a] ──┬── internet ──┬── [carrier-b] ── nat-b ── peer-b
//	                               stun           turn
//
// The hosts, the NATs and the network between them are emulated (package
// netsim); the agents are Pion's and the servers our own, on real UDP and TCP.
package natmatrix
