//go:build !linux

package netsim

import "time"

// shortest is 0: here every wait is for the runtime's timer.
const shortest = 0

func nap(time.Duration) {}
