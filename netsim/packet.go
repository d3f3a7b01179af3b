package netsim

import (
	"net/netip"
	"time"
)

// Packet is what the tap sees of one IP packet, at the moment it is sent.
type Packet struct {
	// N numbers the packets of a net from 1, in the order they were sent.
	N uint64
	// At is when the sender gave it to the line, with its monotonic clock.
	At time.Time
	// Arrive is when the link will hand it to the receiver; zero if it never will.
	Arrive time.Time
	// From and To are the names of the hosts. To is an address if no host has it.
	From, To string
	// Src and Dst are the addresses; the ports are 0 without TCP or UDP.
	Src, Dst netip.AddrPort
	// SrcIs and DstIs name who has these addresses, as far as From and To do: a
	// line from or to a NAT can carry a packet of somebody farther on.
	SrcIs, DstIs string
	// Flow numbers the connections and UDP conversations of two hosts from 1,
	// as they appear, for each protocol.
	Flow int
	Kind Kind
	// Layer is "tcp", "udp", "dns" (DNS over UDP), "ice" (STUN Binding), "turn", "dtls",
	// "sctp" (in DTLS that could be opened), "quic" or "ip" (ICMP and the rest).
	Layer string
	// Summary is the packet in a few words, Note included: "SYN",
	// "DATA 1–1460 (1460 B) · retransmission", "ACK 2921", "UDP 512 B", "Binding request",
	// "ClientHello", "SCTP INIT".
	// Sequence numbers are relative: the first byte of a stream is 1.
	Summary string
	// Note is what stands out in the flow, or empty: "retransmission", "fast
	// retransmission", "spurious retransmission", "keep-alive", "dup ACK 2",
	// "zero window", "window update", "zero window probe", "overtakes". Of UDP only what
	// DTLS and SCTP repeat is told.
	Note string
	// Lost tells that it never arrives, and Why, in words: one of the Why constants.
	Lost bool
	Why  string
	// Retransmit tells that all or the beginning of what it carries was sent before, keep-alives aside.
	Retransmit bool
	// Attrs are details: ports, flags, seq, ack, win, len, ttl, options.
	// The map is the receiver's to keep.
	Attrs map[string]string
	// Chunks are the pieces of messages in it, where SCTP could be read.
	Chunks []Chunk
	// Data is the whole IP packet. It is the receiver's to keep.
	Data []byte
}

// Chunk is a piece of a message on an SCTP stream, which is what a data channel is.
type Chunk struct {
	Stream    uint16
	Unordered bool
	// Message numbers those of a stream, ordered and unordered ones each from 0. It is of
	// 16 bits only where the two sides did not agree on I-DATA (RFC 8260).
	Message uint32
	// Number is that of the chunk, from 1; it is the same when it is sent again.
	Number uint32
	// First and Last tell that a message begins and ends with it.
	First, Last bool
	Size        int // bytes of the message
}

// Took is how long the packet is on its way, the time in the queue included; 0 if it is lost.
func (p Packet) Took() time.Duration {
	if p.Lost {
		return 0
	}
	return p.Arrive.Sub(p.At)
}
