// Package turnsrv is a STUN and TURN server (RFC 8489, RFC 8656) for UDP and TCP
// clients, with IPv4 UDP relays. The protocol is Pion's, github.com/pion/turn/v2;
// this package stands between Pion and the sockets on both of its sides, since
// what comes from there can't be trusted, and between Pion and the clock.
//
//	        ┌──────────── front ────────────┐                 ┌────── relay ──────┐
//	client ─┤ wire ─ screen ─┬─ requests ──▶│ Pion ── Send ──▶│ peer rules ─ port │─▶ peer
//	        │ UDP,   inspect │              │                 │         ▲         │
//	        │ TCP    rate    └─ ChannelData of a known channel ─────────┘         │
//	        │                               │                 │                   │
//	client ◀┤ wire ◀─ answers with the ◀────│ Pion ◀── Data ──│                   │◀─ peer
//	        │     ▲   right error codes     │                 │                   │
//	        └─────┼─────────────────────────┘                 └─┬─────────────────┘
//	              └───── ChannelData for a known channel ◀──────┘
//
// A wire turns a UDP socket, or all connections of a TCP listener, into messages
// (framer.go cuts streams). inspect drops whatever is not a well-formed message
// a TURN server handles, the limiter bounds what strangers get answered. A front
// is the socket Pion believes to read from; it knows the request Pion is busy
// with, so that authenticate, AllocatePacketConn and permit know who asks, and
// respond can send the error code the RFCs want. A relay is the socket Pion
// believes to send from: every packet to a peer passes the peer rules, and none
// goes to a port of this host that isn't a relay's. A channel, once bound by
// Pion, is relayed past it, without allocating memory.
//
// A Responder answers Binding requests for NAT behaviour discovery (RFC 5780),
// at the server's own port with Config.Alternate, or by itself.
//
// Credentials are coturn's "use-auth-secret": user "expiry:peerID", password
// base64(HMAC-SHA1(secret, user)). An expired one makes no allocation. One that
// expires while its allocation lives stays good for that allocation until
// Config.MaxAge, since a client can't change it; then the relay dies within its
// lifetime, of ten minutes as a rule and an hour at most.
//
// Bounds that are not in Config: messages of 1600 bytes; 128 permissions and 128
// channels an allocation; a TCP client's first message within 15 s, silence of
// at most two minutes without an allocation, 64 KiB waiting to be written, which
// it must take within 15 s.
//
// Not here: TLS and DTLS towards clients, relays for TCP (RFC 6062) and IPv6
// (RFC 8656 section 7.2), DONT-FRAGMENT, reservation tokens (EVEN-PORT itself
// works). On a host with several addresses a
// UDP socket bound to all of them may answer from another one than was asked.
package turnsrv
