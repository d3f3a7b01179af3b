// Package proxy is the lab on HTTP proxies: a reverse proxy, written in the
// obvious way and in one that lasts, and a forward proxy that does not go
// everywhere.
//
//	             ┌─ director ─ proxy ─┐
//	client ──────┼─ rewrite  ─ proxy ─┼─▶ upstream-1 … upstream-n   (killed and revived)
//	and curl     └─ direct ───────────┘    what a proxy costs
//
//	client ──────── forward  ─ proxy ─ gate ─▶ origin, or a public address
//	and curl -x                          └──▶ 403, and why
//
// The proxies are httputil.ReverseProxy with what it leaves to its user. What
// RFC 9110 section 7 asks of an intermediary is shown by the headers on both
// sides of it. Not here: caching, TLS, HTTP/2, and a proxy for the world: the
// forward one is open for a run and to this machine or class.
package proxy
