package nat

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/pion/stun"
)

var errNotOurAnswer = errors.New("not the answer to our request")

// stunRefusal is a Binding error response.
type stunRefusal struct{ code int }

func (r *stunRefusal) Error() string { return fmt.Sprintf("STUN error %d", r.code) }

// readBinding reads the answer to a Binding request (RFC 5389 sections 7.3.3
// and 15.2) and gives its XOR-MAPPED-ADDRESS. A *stunRefusal is the server's
// own no; any other error means the datagram is to be ignored.
func readBinding(datagram []byte, id [stun.TransactionIDSize]byte) (netip.AddrPort, error) {
	if !stun.IsMessage(datagram) {
		return netip.AddrPort{}, errNotOurAnswer
	}
	answer := new(stun.Message)
	if err := stun.Decode(datagram, answer); err != nil {
		return netip.AddrPort{}, fmt.Errorf("decode a STUN answer: %w", err)
	}
	if answer.TransactionID != id || answer.Type.Method != stun.MethodBinding {
		return netip.AddrPort{}, errNotOurAnswer
	}
	switch answer.Type.Class {
	case stun.ClassSuccessResponse:
	case stun.ClassErrorResponse:
		var code stun.ErrorCodeAttribute
		if err := code.GetFrom(answer); err != nil {
			return netip.AddrPort{}, &stunRefusal{}
		}
		return netip.AddrPort{}, &stunRefusal{int(code.Code)}
	default:
		return netip.AddrPort{}, errNotOurAnswer
	}
	// The decoder of the library indexes the value before it looks at its length.
	raw, err := answer.Get(stun.AttrXORMappedAddress)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("XOR-MAPPED-ADDRESS: %w", err)
	}
	const ipv4, ipv6 = 8, 20 // bytes of the attribute by family
	if len(raw) != ipv4 && len(raw) != ipv6 {
		return netip.AddrPort{}, fmt.Errorf("XOR-MAPPED-ADDRESS of %d bytes", len(raw))
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(answer); err != nil {
		return netip.AddrPort{}, fmt.Errorf("XOR-MAPPED-ADDRESS: %w", err)
	}
	addr, ok := netip.AddrFromSlice(mapped.IP)
	addr = addr.Unmap()
	// Loopback is fine: it is what a server on this host sees.
	if !ok || mapped.Port == 0 || !(usable(addr) || addr.IsLoopback()) {
		return netip.AddrPort{}, fmt.Errorf("%s is not an address one can have", mapped)
	}
	return netip.AddrPortFrom(addr, uint16(mapped.Port)), nil
}
