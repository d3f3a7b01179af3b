// Package keepalive is the lab on persistent connections of HTTP/1.1
// (RFC 9112 section 9.3): what has to be right for one to be used again, what
// it costs when it is not, and what happens when the server closes it just then.
//
//	kept       GET ─ read to the end ─ close ──▶ back to the pool ──▶ GET …
//	undrained  GET ─ close ─────────────────────▶ closed, the next one dials
//	forgotten  GET ─────────────────────────────▶ open for ever, the next one dials
//	off        GET, "Connection: close" ────────▶ closed, as asked
//
//	pool     bursts through http.Transport with two sizes of its pool of idle ones
//	retry    a server that hangs up after a request: which are sent again
//	window   a server that tires of an idle connection while a request comes
//	delays   what a handshake a request costs, by distance
//
// Connections are numbered where they are dialled; which of them carries a
// request is told by net/http/httptrace. It is not about HTTP/2, whose one
// connection the lab on multiplexing has, nor about TCP's own keep-alive probes.
package keepalive
