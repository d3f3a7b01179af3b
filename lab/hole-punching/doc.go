// Package holepunching is a lab: two hosts behind NATs reach each other by UDP
// with the help of a rendezvous, plainly and by guessing ports, without ICE.
package holepunching
