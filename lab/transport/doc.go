// Package transport is a lab: a chain of RoundTrippers around an HTTP transport
// (log, retry, auth, cache, circuit breaker), in any order, and beside it one
// whose layers keep none of the rules.
package transport
