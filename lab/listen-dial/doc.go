// Package listendial is the lab on the two ends of a TCP connection as state
// machines (RFC 9293 section 3.3.2): all eleven states made on purpose and seen from
// outside, and what programs do wrong about them.
//
//	variant states        variants naive and careful
//	  orderly close         close-wait   a handler that forgets its socket
//	  simultaneous close    half-close   an end of the request that is the end of all
//	  reset                 time-wait    a connection for each request
//	                        dial         addresses in turn, or raced
//
// A watcher (watch.go) lists sockets (table.go) every few milliseconds: the kernel's table on the
// loopback, where TIME-WAIT and sockets without an owner are in it too, and the emulated
// hosts' own on the link. What it has not seen is not told.
//
// On the link the delay makes every state last. On the loopback they are over
// before anybody can look, unless something holds them up: hold_linux.go.
package listendial
