// Package latency is a lab: where the time of an HTTP request goes, seen by
// net/http/httptrace from inside the client.
//
//	request ─┬─ DNS ─┬─ connect ─┬─ TLS ─┬─ wait ──────┬─ transfer ─┐
//	         │ 1 RTT │   1 RTT   │ 1 RTT │ 1 RTT+think │            │   cold
//	         └─ (nothing of it on a used connection) ──┴─ wait ─ …      warm
//
// The same requests are made by HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), as
// variants of one run: first on no connection, then on that one, then several
// at once. The name is looked up at a resolver of the run's own (RFC 1035),
// the server has a certificate of its own, and how long a round trip takes is
// measured by datagrams beside the requests.
//
// Instead of its own server the lab can ask one of the visitor's, as far as
// the server's guarded dialer lets it. It is not a crawler and not a load
// generator: a few requests, of a megabyte at most, redirects checked like the
// first address. It does not follow HTTP/3.
package latency
