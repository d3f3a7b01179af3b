package web

import (
	"net/http"
	"net/netip"
	"time"
)

// Status is how the server is doing, as /api/status tells it. Counters count
// since the start.
type Status struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// URLs at which the server can be opened, this machine's own first.
	URLs    []string `json:"urls"`
	Relay   Relay    `json:"relay"`
	Mapping Mapping  `json:"mapping"`
	NAT     NAT      `json:"nat"`
	Rooms   Census   `json:"rooms"`
}

// RelayMode tells whose relay the rooms get.
type RelayMode string

const (
	RelayOwn      RelayMode = "own"
	RelayExternal RelayMode = "external"
	RelayOff      RelayMode = "off"
)

// Relay is the STUN/TURN server.
type Relay struct {
	Mode RelayMode `json:"mode"`
	// Addrs where it listens, such as "udp 0.0.0.0:3478"; with RelayExternal
	// the URLs of the servers used instead.
	Addrs []string `json:"addrs"`
	// RelayIP is the address relayed peers are reached by.
	RelayIP     string `json:"relay_ip"`
	Allocations int    `json:"allocations"`
	// Limit of allocations at a time; 0 when not known.
	Limit   int    `json:"limit"`
	Bytes   uint64 `json:"bytes"`
	Packets uint64 `json:"packets"`
	// Refusals counts what was turned down, by reason.
	Refusals map[string]uint64 `json:"refusals"`
	// Problem says why it does not work, or is empty.
	Problem string `json:"problem,omitempty"`
}

// MappingState is the life of the port mappings at the gateway.
type MappingState string

const (
	MappingOff       MappingState = "off"
	MappingSearching MappingState = "searching"
	MappingActive    MappingState = "active"
	MappingFailed    MappingState = "failed"
)

// Mapping is what UPnP made of the gateway.
type Mapping struct {
	State    MappingState `json:"state"`
	Gateway  string       `json:"gateway"`
	External netip.Addr   `json:"external"`
	Ports    []MappedPort `json:"ports"`
	// Detail is one sentence: what is going on, or why it failed.
	Detail string `json:"detail"`
}

// MappedPort is one mapping: from the gateway's external port to ours.
type MappedPort struct {
	Protocol string `json:"protocol"`
	External int    `json:"external"`
	Internal int    `json:"internal"`
	// Expires is when the lease ends unless renewed; zero when it does not.
	Expires time.Time `json:"expires,omitzero"`
}

// NATState is the life of a NAT check.
type NATState string

const (
	NATUnknown  NATState = "unknown"
	NATChecking NATState = "checking"
	NATKnown    NATState = "known"
	NATFailed   NATState = "failed"
)

// NAT is what stands between the server and the internet.
type NAT struct {
	State NATState `json:"state"`
	// Kind is the verdict in a word or two, such as "open" or "double NAT".
	Kind string `json:"kind"`
	// Sentence is the verdict, or the reason there is none, for a person.
	Sentence  string        `json:"sentence"`
	Addresses []NamedAddr   `json:"addresses"`
	CheckedAt time.Time     `json:"checked_at,omitzero"`
	Took      time.Duration `json:"took_ns"`
}

// NamedAddr is an address and who it was seen by.
type NamedAddr struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// Census counts rooms and who is in them.
type Census struct {
	Rooms int `json:"rooms"`
	Peers int `json:"peers"`
	// Created and Messages count since the start.
	Created  uint64 `json:"created"`
	Messages uint64 `json:"messages"`
	// Dropped counts peers that were let go because they did not read.
	Dropped uint64 `json:"dropped"`
}

// statusBody is the JSON of /api/status.
type statusBody struct {
	Status
	UptimeSeconds int64 `json:"uptime_seconds"`
}

func (s *site) statusJSON(w http.ResponseWriter, r *http.Request) error {
	status := s.Status(r.Context())
	writeJSON(w, http.StatusOK, statusBody{Status: status, UptimeSeconds: int64(time.Since(status.Started).Seconds())})
	return nil
}

func (s *site) statusPage(w http.ResponseWriter, r *http.Request) error {
	status := s.Status(r.Context())
	s.render(w, r, http.StatusOK, statusView(s.page(r, "Status"), status, s.cards(r, status)))
	return nil
}

func (s *site) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("ok\n"))
	return err
}
