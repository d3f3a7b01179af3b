package peer

import (
	"fmt"
	"net"

	"github.com/pion/transport/v2"
	"github.com/pion/transport/v2/stdnet"
)

// receiveBuffer is asked of the system for each UDP socket. SCTP sends up to
// a megabyte at once; the usual default of Linux holds a fifth of that, and
// each burst lost then costs a timeout of a second. The system may grant less.
const receiveBuffer = 4 << 20

// roomyNet is the network of this machine with room for bursts.
type roomyNet struct{ transport.Net }

func newRoomyNet() (roomyNet, error) {
	n, err := stdnet.NewNet()
	if err != nil {
		return roomyNet{}, fmt.Errorf("look at the network interfaces: %w", err)
	}
	return roomyNet{n}, nil
}

// Interfaces looks anew each time, for a machine that changes its network.
func (r roomyNet) Interfaces() ([]*transport.Interface, error) {
	n, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return n.Interfaces()
}

func (r roomyNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := r.Net.ListenUDP(network, addr)
	if err == nil {
		_ = c.SetReadBuffer(receiveBuffer)
	}
	return c, err
}

func (r roomyNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := r.Net.ListenPacket(network, address)
	if roomy, ok := c.(interface{ SetReadBuffer(int) error }); ok && err == nil {
		_ = roomy.SetReadBuffer(receiveBuffer)
	}
	return c, err
}

// connectedToAnything tells whether there is an address besides loopback.
func connectedToAnything(n transport.Net) bool {
	interfaces, err := n.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && err == nil && len(addresses) > 0 {
			return true
		}
	}
	return false
}
