package listendial

import (
	"net"
	"slices"

	"peerlab/lab"
	"peerlab/procnet"
)

// Hosts, and so lanes.
const (
	client = "client"
	server = "server"
)

// States, in the order of the walk.
const (
	listening   = "LISTEN"
	synSent     = "SYN-SENT"
	synReceived = "SYN-RCVD"
	established = "ESTABLISHED"
	finWait1    = "FIN-WAIT1"
	finWait2    = "FIN-WAIT2"
	closeWait   = "CLOSE-WAIT"
	lastAck     = "LAST-ACK"
	closing     = "CLOSING"
	timeWait    = "TIME-WAIT"
	closed      = "CLOSED" // nothing is listed
)

// states are the eleven of RFC 9293.
var states = []string{listening, synSent, synReceived, established, finWait1, finWait2, closeWait, lastAck, closing, timeWait, closed}

// end is one end of a connection, or a listener: then client is 0.
type end struct {
	lane           string
	client, server uint16 // ports
}

// region kernel

// kernel lists what the kernel has of the variant's listeners: their own
// sockets, and both ends of every connection to them. A connection that is
// closed but remembered has an entry, though no program has a handle of it.
// Those of others than the client are left out until the scenes are over.
func (w *watcher) kernel() (map[end]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[end]string{}
	table, err := procnet.TCP(func(s procnet.Socket) bool { return w.listeners[s.Local] || w.listeners[s.Remote] })
	alone := w.each || !w.resting.Load()
	for _, s := range table {
		e, from := end{client, s.Local.Port(), s.Remote.Port()}, s.Local
		if w.listeners[s.Local] {
			e, from = end{server, s.Remote.Port(), s.Local.Port()}, s.Remote // the remote port of a listener is 0
		}
		if alone && e.client != 0 && w.now[e] == nil && w.run.HostOf(net.TCPAddrFromAddrPort(from)) != client {
			continue
		}
		found[e] = s.State.String()
		if found[e] == synSent {
			w.again = max(w.again, s.Retransmits)
		}
	}
	return found, err
}

// endregion

// emulated lists what the emulated hosts have.
func emulated(c, s *lab.Host) map[end]string {
	found := map[end]string{}
	for _, socket := range c.Sockets() {
		if socket.Proto == "tcp" {
			found[end{client, socket.Local.Port(), socket.Remote.Port()}] = socket.State
		}
	}
	for _, socket := range s.Sockets() {
		if socket.Proto == "tcp" {
			found[end{server, socket.Remote.Port(), socket.Local.Port()}] = socket.State
		}
	}
	for e, state := range found {
		if !slices.Contains(states, state) || state == closed {
			delete(found, e) // being made, or being forgotten
		}
	}
	return found
}
