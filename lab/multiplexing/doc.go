// Package multiplexing is a lab: many requests at once over several HTTP/1.1
// connections, over one of HTTP/2, and over one of HTTP/3, on the same network.
package multiplexing
