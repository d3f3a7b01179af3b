package lab

import (
	"slices"
	"strconv"
	"time"
)

// Milliseconds is a duration as facts and samples tell it: in ms, to the µs.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Median is the middle one of some durations, the upper one of two; 0 if there are none.
func Median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// Plural is a number of things in words: "1 packet", "2 packets".
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
