// Package peer is a WebRTC peer without a browser: it meets others in a room
// through a Signaler, opens one connection to each of them, and speaks the
// protocols of PROTOCOL.md on four data channels.
//
//	Signaler ⇄ Peer ─┬─ Link ─ session ─ Pion (ICE, DTLS, SCTP)
//	                 │   │        └── channels: chat  files  bench  probe
//	                 │   └── engines: Chat, Files, Bench, Probe
//	                 └─ Link …
//
// A Link is one remote peer for as long as it is in the room. A session is one
// RTCPeerConnection to it; when that is beyond repair the next one takes its
// place, and the engines, which live as long as the link, carry on where they
// were. Connections are negotiated as the section "Who offers" of the
// signaling protocol says: only the offerer of a pair offers (JSEP, RFC 8829),
// candidates trickle (RFC 8838), paths that fail are replaced by ICE restarts
// (RFC 8445, section 9).
//
// The package does not know how signaling messages travel (WebSocket or in
// process), has no media, and shows nothing: what happens is told to Handlers
// and, if there is one, to a trace.Log.
package peer
