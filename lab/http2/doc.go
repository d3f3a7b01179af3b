// Package http2 is the lab on HTTP/2 servers: the standard library's over TLS
// and in the clear, and one of a hundred lines of frames, with and without a
// sense for windows.
//
//	client ─▶ listener ─▶ net/http.Server (h2 by ALPN, h2c by prior knowledge)
//	outside ─▶   │     └▶ byHand: http2.Framer, hpack, and little else
//	             │
//	          observer: bytes ─ (TLS: opened with the server's own keys) ─▶ frames ─▶ lanes,
//	                    windows, SETTINGS, streams
//
// The servers know nothing of the observer. It reads what passes through the
// connections of the listener, in both directions, of whoever comes.
package http2
