// Package tcppool is the lab on pools of TCP connections: the same requests over
// a connection each, over a buffered channel of connections, and over a pool that
// looks at what it lends.
//
//	            ┌─ dial:   a connection for every request
//	requests ───┼─ naive:  a channel of connections           ──▶ backend
//	(app)       └─ puddle: bounded, probed, aged, lent for a time  (takes so many)
//
// Each way has an app and a backend of its own. They play the same scenes: one
// request after another, a crowd, a quiet time, an answer that comes too late,
// connections that are not given back, a backend that restarts. Every scene begins
// with an empty pool.
package tcppool
