// Package packets is the lab on reading raw packets: where they can be had,
// how a filter thins them out before they are copied, how gopacket takes them
// apart, how streams come back together, and what is in those that are encrypted.
//
//	emulated link ─ tap ──────────────┐
//	this host ─ AF_PACKET + BPF ──────┼─▶ capture ─ filter ─▶ counts
//	a pcap or pcapng file ────────────┘      │
//	                                         ├─▶ decode in three ways, and from one buffer
//	                                         └─▶ streams ─ TLS records ─ keys of the run ─▶ table
//
// What each byte of one packet means is not its work but package dissect's.
package packets
