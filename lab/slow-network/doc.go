// Package slownetwork is the lab on simulating a slow network in tests: the
// same download, made slow in three ways by the same numbers, beside one that
// is not.
//
//	direct      client ─────────────────────────────▶ server
//	middleware  client ─────────────────────────────▶ [sleep] server
//	toxiproxy   client ─▶ listener ─▶ toxics ─▶ dial ─▶ server
//	link        client ═══ delay, rate, queue, loss ═══▶ server
//
// The first three are on the network of the run: the loopback, or on the link
// an emulated network that is perfect, so that their packets can be seen. The
// last one is always on an emulated link with the impairments.
//
// Toxiproxy is embedded as a library. Its toxics, their chains and their
// settings are used as they are; listening and dialling are the run's own, and
// each connection has a chain to itself (see proxy and link for why). Its HTTP
// API is not used.
package slownetwork
