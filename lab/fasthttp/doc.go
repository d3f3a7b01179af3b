// Package fasthttp is a lab: net/http's server beside fasthttp's under the same
// load, and what the faster one gives up.
package fasthttp
