package netlab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
)

// nic is the name of a host's network interface.
const nic = "eth0"

// Host is a machine with one network interface. Programs and sockets can be
// put into it.
type Host struct {
	lab     *Lab
	ns      *namespace
	segment *Segment
	addr    netip.Prefix
	// port is the segment's end of the cable.
	port string
}

// Addr is the host's address. It changes with MoveTo.
func (h *Host) Addr() netip.Addr { return h.addr.Addr() }

// Namespace is the name of the host's network namespace, for "ip netns exec".
func (h *Host) Namespace() string { return h.ns.name }

// AddAddr gives the host one more address of its segment.
func (h *Host) AddAddr() netip.Addr {
	h.lab.t.Helper()
	addr, err := h.segment.nextAddr()
	h.lab.must(err)
	h.lab.must(h.ns.ip(fmt.Sprintf("addr add %s dev %s", addr, nic)))
	return addr.Addr()
}

// Unplug pulls the host's cable: the interface loses its carrier and keeps its
// address.
func (h *Host) Unplug() {
	h.lab.t.Helper()
	h.lab.must(h.segment.ns.ip("link set " + h.port + " down"))
}

// Plug puts the cable back in.
func (h *Host) Plug() {
	h.lab.t.Helper()
	h.lab.must(h.segment.ns.ip("link set " + h.port + " up"))
	h.lab.must(h.awaitCarrier())
}

// MoveTo takes the host to another segment, as a phone goes from Wi-Fi to
// mobile data: the old address is gone, there is a new one.
func (h *Host) MoveTo(s *Segment) {
	h.lab.t.Helper()
	h.lab.must(h.segment.ns.ip("link del " + h.port))
	h.lab.must(h.plugInto(s))
}

// plugInto connects the host to the segment and gives it an address there.
func (h *Host) plugInto(s *Segment) error {
	addr, err := s.nextAddr()
	if err != nil {
		return err
	}
	s.ports++
	h.segment, h.addr, h.port = s, addr, fmt.Sprintf("port%d", s.ports)
	if err := s.ns.ip(
		fmt.Sprintf("link add %s type veth peer name %s netns %s", h.port, nic, h.ns.name),
		fmt.Sprintf("link set %s master %s up", h.port, bridge),
	); err != nil {
		return err
	}
	if err := h.ns.ip(
		fmt.Sprintf("addr add %s dev %s", addr, nic),
		"link set "+nic+" up",
		"route add default via "+s.gateway.Addr().String(),
		// Multicast (mDNS, SSDP) stays on the segment.
		"route add 224.0.0.0/4 dev "+nic,
	); err != nil {
		return err
	}
	return h.awaitCarrier()
}

// Enter changes a command that has not started so that it runs on the host.
// The process id stays that of the command itself.
func (h *Host) Enter(cmd *exec.Cmd) {
	h.lab.t.Helper()
	h.lab.must(h.ns.enter(cmd))
}

// Command is exec.Command on the host.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	h.lab.t.Helper()
	cmd := exec.Command(name, args...)
	h.Enter(cmd)
	return cmd
}

// DialContext connects from the host. The address must be numeric. It returns
// errors, unlike the rest, so that it can stand in a http.Transport.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.ns.do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Dial connects from the host to a numeric address, until the test ends.
func (h *Host) Dial(network, address string) net.Conn {
	h.lab.t.Helper()
	conn, err := h.DialContext(h.lab.t.Context(), network, address)
	h.lab.must(err)
	h.lab.t.Cleanup(func() { conn.Close() })
	return conn
}

// Listen listens on the host's address; port 0 picks one. The listener is
// closed when the test ends.
func (h *Host) Listen(port uint16) net.Listener {
	h.lab.t.Helper()
	var listener net.Listener
	h.lab.must(h.ns.do(func() (err error) {
		listener, err = net.Listen("tcp4", netip.AddrPortFrom(h.Addr(), port).String())
		return err
	}))
	h.lab.t.Cleanup(func() { listener.Close() })
	return listener
}

// ListenUDP opens a UDP socket on the host's address; port 0 picks one. The
// socket is closed when the test ends.
func (h *Host) ListenUDP(port uint16) *net.UDPConn {
	h.lab.t.Helper()
	var conn *net.UDPConn
	h.lab.must(h.ns.do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.Addr(), port)))
		return err
	}))
	h.lab.t.Cleanup(func() { conn.Close() })
	return conn
}

// HTTPClient makes requests from the host, on a fresh connection each.
func (h *Host) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:       h.DialContext,
		DisableKeepAlives: true,
	}}
}
