// Package e2e tests whole programs: the real server and the real Go peer,
// real browsers, real NATs, and clients nobody here wrote.
//
//	proc     builds and runs programs, and leaves none behind
//	netlab   an internet of network namespaces with NAT routers
//	browser  Chromium on any host of it
//	need     what the machine must have: a skip, or a failure where CI is set
//
// It runs on Linux, as root for all that crosses a NAT. It measures nothing
// that a busy machine would make fail.
package e2e
