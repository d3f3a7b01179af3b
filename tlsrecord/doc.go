// Package tlsrecord reads TLS 1.3 from beside: it cuts streams into records, and
// opens them with the secrets that one of the two ends has written down
// (tls.Config.KeyLogWriter). It is what an observer needs who was given the
// keys, and no part of any connection; it seals nothing.
//
//	stream ─ Split ─▶ Record ─ Session.Open(whose, record) ─▶ Content
//	                              ▲ secrets, by the random bytes of the ClientHello
//
// TLS 1.2 and older it tells, and does not open. What comes in is from
// strangers: nothing of it makes this package panic or grow without bound.
package tlsrecord

import "embed"

// Source is this package's own source, for lessons that show it.
//
//go:embed record.go opener.go
var Source embed.FS
