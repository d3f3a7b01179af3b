// Package pipelining is a lab: several requests at once on one connection, by
// HTTP/1.1 pipelining and by the streams of HTTP/2, with a slow one first.
package pipelining
