// Package signaling lets peers find each other: rooms in which they exchange
// session descriptions and candidates over a WebSocket (RFC 6455) until they
// can talk directly (the signaling channel that RFC 8829 section 3.2 leaves
// open). PROTOCOL.md is the contract; package envelope has its messages.
//
//	browser ── ws ── socket ─┐                    ┌─ socket ── ws ── Client (cmd/peer)
//	                         ├─ room (in the Hub) ┤
//	browser ── ws ── socket ─┘                    └─ Local (a Go peer in this process)
//
// The Hub keeps the rooms, admits sockets and limits what one address and one
// socket may cost. A room knows its members and passes signals between them.
// A socket costs one goroutine, which reads; a second one lives only while
// there is something to write. One ticker of the Hub does all that time does:
// pings, timeouts, the end of empty rooms, fresh relay credentials.
//
// Locks are taken in the order Hub.mu, room.mu, socket.mu, and none is held
// over a socket write.
//
// The package looks into no session description and keeps nothing on disk: a
// restart ends all rooms. Who may open a WebSocket at all (Origin, Host) is
// decided by the caller, through Config.CheckOrigin.
package signaling
