package web

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// metric is one family of the Prometheus text format, version 0.0.4.
type metric struct {
	name, kind, help string
	samples          []sample
}

type sample struct {
	labels string // already in braces, or empty
	value  float64
}

// metricsOf lists everything that is exported; the names are kept stable.
func metricsOf(s Status, now time.Time) []metric {
	one := func(v float64) []sample { return []sample{{value: v}} }
	refusals := make([]sample, 0, len(s.Relay.Refusals))
	for _, reason := range slices.Sorted(maps.Keys(s.Relay.Refusals)) {
		refusals = append(refusals, sample{labels: label("reason", reason), value: float64(s.Relay.Refusals[reason])})
	}
	active := 0.0
	if s.Mapping.State == MappingActive {
		active = float64(len(s.Mapping.Ports))
	}
	return []metric{
		{"peerlab_build_info", "gauge", "Always 1; the version is the label.", []sample{{label("version", s.Version), 1}}},
		{"peerlab_uptime_seconds", "gauge", "Seconds since the server started.", one(now.Sub(s.Started).Seconds())},
		{"peerlab_rooms", "gauge", "Rooms open now.", one(float64(s.Rooms.Rooms))},
		{"peerlab_peers", "gauge", "Peers in all rooms now.", one(float64(s.Rooms.Peers))},
		{"peerlab_rooms_created_total", "counter", "Rooms started.", one(float64(s.Rooms.Created))},
		{"peerlab_signaling_messages_total", "counter", "Signaling messages carried between peers.", one(float64(s.Rooms.Messages))},
		{"peerlab_peers_dropped_total", "counter", "Peers let go because they did not read.", one(float64(s.Rooms.Dropped))},
		{"peerlab_relay_allocations", "gauge", "TURN allocations now.", one(float64(s.Relay.Allocations))},
		{"peerlab_relay_bytes_total", "counter", "Bytes relayed, both directions.", one(float64(s.Relay.Bytes))},
		{"peerlab_relay_packets_total", "counter", "Packets relayed, both directions.", one(float64(s.Relay.Packets))},
		{"peerlab_relay_refusals_total", "counter", "What the relay turned down, by reason.", refusals},
		{"peerlab_port_mappings", "gauge", "Ports mapped at the gateway now.", one(active)},
	}
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(name, value string) string {
	return `{` + name + `="` + labelEscapes.Replace(value) + `"}`
}

func writeMetrics(w io.Writer, families []metric) error {
	for _, m := range families {
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind); err != nil {
			return err
		}
		for _, s := range m.samples {
			if _, err := fmt.Fprintf(w, "%s%s %g\n", m.name, s.labels, s.value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *site) metrics(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	// A write that fails is a scraper that left.
	_ = writeMetrics(w, metricsOf(s.Status(r.Context()), time.Now()))
	return nil
}
