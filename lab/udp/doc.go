// Package udp is the lab on UDP: what a datagram socket does not do, and what a
// program does about it. Two programs do the same errands, each on a network of
// its own: the naive one, and a careful one.
//
//	             naive                           careful
//	sockets      unconnected, believes anybody   connected, and the answer has its number
//	sizes        a buffer of 1024 bytes          a buffer for the largest
//	transfer     all at once, and hope           numbers, acknowledgements, a window, timers
//	amplify      answers whoever it seems to be  proof of address before a long answer
//
// Datagrams are text (message.go), so that nc can join in. What the link does
// to packets is counted by its tap (wire.go), what a full receive buffer
// drops by whoever has the buffer: the kernel or the emulated host.
package udp
