// Package throttle is a lab: token buckets (golang.org/x/time/rate) that limit
// how often clients may ask, and how fast they may download.
//
//	steady ─┐            ┌ per-client: an LRU of buckets, by address
//	bursty ─┼─ requests ─┼ global:     one bucket for all             ─▶ 200, or 429 + Retry-After
//	greedy ─┘            └ forwarded:  a map of buckets, by header
//
//	reader ◀─ bytes ─ io.Writer that waits for tokens, a chunk at a time ◀─ file
//
// The three limiters run side by side as variants, each with a server and
// clients of its own that all do the same. 429 Too Many Requests is RFC 6585
// section 4, Retry-After RFC 9110 section 10.2.3.
//
// It limits what one process serves. Limits shared by several servers need a
// store that they share, and are not shown.
package throttle
