// Package dissect takes one packet apart, layer by layer and field by field,
// and says of each field which bits of the packet it is. That is what a view
// needs to light up the bytes behind a name.
//
//	bytes ─ gopacket: which layers, where ─▶ per layer: cut fields off the bits ─▶ Packet
//	                                    │ TCP, UDP payload
//	                                    └▶ DNS, HTTP, TLS, DTLS, STUN, QUIC by what they look like
//
// One packet is all it sees. What takes more than one (relative sequence
// numbers, retransmissions, a message that spans segments, decryption) is for
// others. Bytes come from anywhere: whatever they are, the answer is a Packet,
// with a Problem where they are not what they claim to be.
package dissect
