// Package webrtc shows the life of a connection between two peers: from the offer
// to the first message, what each step costs, and what channels do once they are open.
//
//	peer-a ─ offer, answer, candidates ─ server (signaling, STUN) ─ peer-b
//	   └────────── ICE checks ▸ DTLS ▸ SCTP ▸ data channels ──────────┘
//
// The peers are Pion's, on emulated hosts. The signaling is a relay of JSON lines
// over TCP on the same network, so it takes its time there.
package webrtc
