// Package deadlines is the lab on timeouts of sockets: what each of them ends,
// and what it does not.
//
//	sockets              one connection: read, write and both; set once or renewed;
//	                     what a connection that timed out can still do; contexts
//	http                 every timeout of http.Server against everything a client
//	                     can be slow at: a table
//	naive, idle, fixed   three servers with a few places, and clients that send a
//	                     byte now and then to keep them (slowloris)
//	naive, fixed         a stream of events under WriteTimeout
//
// The parts run at the same time, each on hosts of its own.
package deadlines
