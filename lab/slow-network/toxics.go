package slownetwork

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"peerlab/lab"
)

// toxicSpec is a toxic as Toxiproxy's JSON has it.
type toxicSpec struct {
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Stream     string           `json:"stream"` // upstream: to the server; downstream: to the client
	Attributes map[string]int64 `json:"attributes"`
}

// region toxics

// toxicsOf says the settings of the link in Toxiproxy's words. It has no word
// for the loss. Some values would end or hang the whole process, since
// Toxiproxy checks none of them; they are kept out here, whatever the settings.
func toxicsOf(p Params, c lab.Common) []toxicSpec {
	var all []toxicSpec
	add := func(kind, stream string, attributes map[string]int64) {
		all = append(all, toxicSpec{kind + "_" + stream, kind, stream, attributes})
	}
	for _, stream := range []string{"upstream", "downstream"} {
		if c.Delay > 0 {
			delay := min(c.Delay, maxDelay).Milliseconds()
			add("latency", stream, map[string]int64{
				"latency": delay,
				"jitter":  min(max(0, c.Jitter.Milliseconds()), delay), // a huge one overflows, and panics
			})
		}
		if c.Rate > 0 {
			add("bandwidth", stream, map[string]int64{"rate": max(1, int64(c.Rate/8))}) // kB/s; 0 never ends, -1 panics
		}
	}
	if size := min(p.Slice, maxSlice); size > 0 {
		add("slicer", "downstream", map[string]int64{
			"average_size":   int64(size),     // 0 recurses for ever
			"size_variation": int64(size / 2), // above the size: slices of negative length, a panic
			"delay":          min(max(0, int64(p.Gap)), maxGap),
		})
	}
	if p.Toxic == "timeout" || p.Toxic == "reset_peer" {
		all = append(all, breaking(p.Toxic, p.After)) // the last ones of the chain
	}
	return all
}

// endregion

// breaking is a toxic that ends connections.
func breaking(kind string, after time.Duration) toxicSpec {
	return toxicSpec{kind + "_downstream", drained + kind, "downstream", map[string]int64{
		"timeout": min(max(1, after.Milliseconds()), maxAfter.Milliseconds()),
	}}
}

// The most that toxics are told, whoever asks.
const (
	maxDelay = 5 * time.Second
	maxAfter = 2 * time.Second // reset_peer can't be interrupted meanwhile
	maxGap   = 10_000          // µs
	maxSlice = 1 << 20         // bytes
)

// String is the toxic as people read it: "latency(jitter 5, latency 40)".
func (s toxicSpec) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.Attributes[name]))
	}
	return strings.TrimPrefix(s.Type, drained) + "(" + strings.Join(parts, ", ") + ")"
}
