// Package tcpserver is the lab on TCP servers: the obvious one and one that
// lasts, with the same clients on both, and with whoever joins by nc.
//
//	clients ─┐                     ┌─ goroutine-1 ─ naive: Read is a message
//	silent  ─┼─▶ listener ─ Accept ┼─ goroutine-2   fixed: framing, deadline,
//	outside ─┘     (one a server)  └─ …                    cap, drain
//	                    │
//	                 observer ─▶ lanes, goroutine count, facts
//
// The servers in naive.go, fixed.go and frames.go know nothing of the lab: what
// they do is seen from the listener and the connections they are given.
package tcpserver
