// Package procnet reads what the Linux kernel tells of its sockets in
// /proc/net/tcp and /proc/net/udp (proc_net_tcp.rst in its documentation): what ss shows,
// without root and without another program. It knows IPv4 only.
//
// A table is that of the network namespace of this process and has everybody's
// sockets; on another system there is none, and the error says so.
package procnet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ErrFormat is wrapped by the errors of Parse.
var ErrFormat = errors.New("procnet: not a line of a socket table")

// Socket is one line of a table.
type Socket struct {
	// Local and Remote are the ends; the port of a Remote that isn't there is 0.
	Local, Remote netip.AddrPort
	// State is the kernel's number; State.String has TCP's name for it.
	State State
	// TxQueue and RxQueue are bytes not yet sent (or acknowledged) and not yet
	// read. For a TCP listener RxQueue is how many connections wait to be accepted.
	TxQueue, RxQueue uint64
	// Retransmits counts how often what is not acknowledged was sent again, a SYN, say.
	Retransmits uint64
	// Drops counts the datagrams a UDP socket had no room for; 0 for TCP.
	Drops uint64
}

// State is a TCP state as Linux numbers them (include/net/tcp_states.h).
type State uint8

// TimeWait is the state of a closed connection that is remembered.
const TimeWait State = 6

// The names as RFC 9293 has them, written as ss and netsim do.
var names = [...]string{
	1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RCVD", 4: "FIN-WAIT1", 5: "FIN-WAIT2", 6: "TIME-WAIT",
	7: "CLOSED", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RCVD",
}

func (s State) String() string {
	if int(s) < len(names) && names[s] != "" {
		return names[s]
	}
	return "state " + strconv.Itoa(int(s))
}

// TCP returns the TCP sockets that pass keep. The kernel hands its table out in
// pieces, so one that comes or goes meanwhile may have another listed again: each
// connection is here once, as it was last.
func TCP(keep func(Socket) bool) ([]Socket, error) {
	table, err := read("/proc/net/tcp", keep)
	type ends struct{ local, remote netip.AddrPort }
	at := map[ends]int{}
	once := table[:0]
	for _, s := range table {
		i, again := at[ends{s.Local, s.Remote}]
		if again && s.Remote.Port() != 0 { // listeners may share a port
			once[i] = s
			continue
		}
		at[ends{s.Local, s.Remote}] = len(once)
		once = append(once, s)
	}
	return once, err
}

// UDP returns the UDP sockets that pass keep.
func UDP(keep func(Socket) bool) ([]Socket, error) { return read("/proc/net/udp", keep) }

func read(path string, keep func(Socket) bool) ([]Socket, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the kernel's socket table: %w", err)
	}
	defer f.Close()
	return Parse(f, keep)
}

// Parse reads a table, whose first line is the heading.
func Parse(table io.Reader, keep func(Socket) bool) ([]Socket, error) {
	var all []Socket
	lines := bufio.NewScanner(table)
	for first := true; lines.Scan(); first = false {
		columns := strings.Fields(lines.Text())
		if first || len(columns) == 0 {
			continue
		}
		s, err := parse(columns)
		if err != nil {
			return nil, err
		}
		if keep(s) {
			all = append(all, s)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the socket table: %w", err)
	}
	return all, nil
}

// Columns of a line: sl, local, remote, st, tx:rx, timer:when, retransmits, and
// of UDP the drops as the 13th.
func parse(f []string) (s Socket, err error) {
	if len(f) < 5 {
		return s, fmt.Errorf("%w: %d columns", ErrFormat, len(f))
	}
	if s.Local, err = address(f[1]); err != nil {
		return s, err
	}
	if s.Remote, err = address(f[2]); err != nil {
		return s, err
	}
	state, err := strconv.ParseUint(f[3], 16, 8)
	if err != nil {
		return s, fmt.Errorf("%w: state %q", ErrFormat, f[3])
	}
	s.State = State(state)
	tx, rx, _ := strings.Cut(f[4], ":")
	if s.TxQueue, err = strconv.ParseUint(tx, 16, 64); err != nil {
		return s, fmt.Errorf("%w: queue %q", ErrFormat, f[4])
	}
	if s.RxQueue, err = strconv.ParseUint(rx, 16, 64); err != nil {
		return s, fmt.Errorf("%w: queue %q", ErrFormat, f[4])
	}
	if len(f) > 6 {
		if s.Retransmits, err = strconv.ParseUint(f[6], 16, 64); err != nil {
			return s, fmt.Errorf("%w: retransmits %q", ErrFormat, f[6])
		}
	}
	if len(f) == 13 {
		if s.Drops, err = strconv.ParseUint(f[12], 10, 64); err != nil {
			return s, fmt.Errorf("%w: drops %q", ErrFormat, f[12])
		}
	}
	return s, nil
}

// address reads "0100007F:1F90": the address as the machine stores it, the port in hex.
func address(text string) (netip.AddrPort, error) {
	host, service, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(host, 16, 32)
	port, bad := strconv.ParseUint(service, 16, 16)
	if len(host) != 8 || err != nil || bad != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: address %q", ErrFormat, text)
	}
	var ip [4]byte
	binary.NativeEndian.PutUint32(ip[:], uint32(number))
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(port)), nil
}
