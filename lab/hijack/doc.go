// Package hijack is a lab: HTTP connections that are taken over for another
// protocol, with what goes wrong at the take-over, and WebSocket byte by byte.
package hijack
