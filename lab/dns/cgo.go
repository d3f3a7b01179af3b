//go:build cgo

package dnslab

// cgo tells whether this program can ask the C library for names.
const cgo = true
