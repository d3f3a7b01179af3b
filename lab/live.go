package lab

import (
	"maps"
	"net"

	"peerlab/trace"
)

// Live publishes a value for the commands people type: "host", "port", "url".
// A variant's is published as its name, a dot and name: {naive.port}. On the
// link nothing is published, as nobody could get there.
func (r *Run) Live(name, value string) {
	if r.Network() == Link {
		return
	}
	if r.variant != "" {
		name = r.variant + "." + name
	}
	r.smu.Lock()
	r.live[name] = value
	r.smu.Unlock()
	r.book.add(trace.Event{Kind: trace.State, Layer: trace.App, From: Outside, Name: name, Text: value})
}

// LiveAt publishes where a socket of the run is: its address as "host", and its
// port by a name, "port" where there is one socket.
func (r *Run) LiveAt(at net.Addr, port string) {
	if host, number, err := net.SplitHostPort(at.String()); err == nil { // as it is for TCP and UDP
		r.Live("host", host)
		r.Live(port, number)
	}
}

func (s *shared) liveValues() map[string]string {
	s.smu.Lock()
	defer s.smu.Unlock()
	return maps.Clone(s.live)
}
