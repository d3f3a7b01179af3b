// Package netsim joins hosts of its own by an emulated link. The hosts run a
// complete TCP/IP stack (gVisor's) inside this process, so connections between
// them are real TCP with real segments, timers and retransmissions, without
// root, devices or cgo. Only the wire is made up:
//
//	host a ─ Dial, Listen, ListenPacket                       host b
//	  │ TCP, UDP, ICMP over IPv4 (gVisor stack)                  ▲
//	  ▼                                                          │
//	 port ─▶ drop action ─▶ queue ─▶ rate ─▶ loss ─▶ delay ± jitter ─▶ port
//	                  │ tail drop        │ seeded         ▲
//	                  └───────┬──────────┘                └ one scheduler
//	                          ▼
//	            tap: Packet, decoded and named ─▶ Capture ─▶ pcapng
//
// Every two hosts have a line of their own, and each direction of it has its own
// queue, rate clock and draws; all lines have the values of one Link. What is
// decided about a packet is decided when it is sent, so a Packet tells at once
// when it will arrive, or why it never will; Set changes what is sent from then on.
//
// Hosts can also be behind a NAT, which is a router between the net's own network (its internet) and one
// of its own, and a NAT behind another one. It rewrites the very packets, as RFC 4787, 5382 and 5508 say of
// UDP, TCP and ICMP, with the mapping and filtering asked for:
//
//	host in ──▶ NAT ─ find or make the mapping ─ rewrite the source ──▶ internet
//	        ◀── NAT ◀─ rewrite the destination ─ filter ─ find the mapping ──
//
// UDP payloads of WebRTC are named too: STUN and TURN, DTLS, and with the keys of
// the hosts' programs (Keys) the SCTP in it.
//
// Each line on the way is a Packet of its own for the tap, and so is what a NAT refuses. The lines behind
// a NAT are perfect: the Link is that of the internet.
//
// Emulated: delay, jitter, independent loss, serialisation at a rate, a FIFO
// queue with tail drop, reordering and duplication if asked for, and the MTU. Not emulated:
// Ethernet and ARP, broadcast, IPv6, routers on the way that don't translate, bit errors,
// bursts of loss, and a line shared by more than two hosts. Sizes
// count IP packets, no framing.
//
// # What repeats with the seed
//
// Flows between two hosts are numbered as they first appear, for each protocol
// on its own. The k-th packet of one Kind, in one direction of one flow, is lost
// or not by a draw that depends on Seed, the names of the two hosts, the
// protocol, the number of the flow, the Kind and k, and on nothing else: not on
// the clock, other flows, other kinds or ports. Every packet takes its draw,
// also while Loss is 0 and when it is dropped for another reason, and a higher
// Loss loses a superset of what a lower one does. What does not repeat is TCP's
// own timing: which bytes the k-th data segment carries can differ after the
// first loss, and so can how many segments and acknowledgements there are.
// Jitter and duplication are drawn in the same way.
//
// # Time
//
// Packets are delivered by real clocks: not late by more than what the Go
// runtime and the kernel need to wake a goroutine (about 0.1 ms on an idle
// machine, more on a loaded one; Stats tells), and never early. It does not
// work in a testing/synctest bubble.
package netsim
