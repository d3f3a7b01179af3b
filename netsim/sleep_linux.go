package netsim

import (
	"syscall"
	"time"
)

// shortest is how near a delivery has to be to wait for it by nap: the
// runtime's own timers are only good to a millisecond when all else is idle.
const shortest = 1500 * time.Microsecond

// nap sleeps for about d, by the kernel's high-resolution timer. It may return early.
func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // interrupted by a signal: the caller looks at the clock anyway
}
