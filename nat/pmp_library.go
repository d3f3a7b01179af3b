package nat

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
)

// pmpLibrary asks by go-nat-pmp, from a socket of this host. The library knows
// no context, so its time is what ctx has left.
type pmpLibrary struct{ gateway, local netip.Addr }

func (l pmpLibrary) call(ctx context.Context, r PMPRequest) (PMPAnswer, error) {
	wait := pmpTime
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if err := ctx.Err(); err != nil || wait <= 0 {
		return PMPAnswer{}, fmt.Errorf("%w from %s: no time left", ErrNoPMPAnswer, l.gateway)
	}
	client := natpmp.NewClientWithLocalAndTimeout(l.gateway.AsSlice(), l.local.AsSlice(), wait)
	a := PMPAnswer{Opcode: r.Opcode}
	switch r.Opcode {
	case PMPExternal:
		got, err := client.GetExternalAddress()
		if err != nil {
			return l.failed(a, err)
		}
		a.Address, a.Epoch = netip.AddrFrom4(got.ExternalIPAddress), got.SecondsSinceStartOfEpoc
	default:
		protocol := "tcp"
		if r.Opcode == PMPMapUDP {
			protocol = "udp"
		}
		got, err := client.AddPortMapping(protocol, int(r.Internal), int(r.External), int(r.Lifetime))
		if err != nil {
			return l.failed(a, err)
		}
		a.Epoch, a.Internal, a.External, a.Lifetime = got.SecondsSinceStartOfEpoc, got.InternalPort, got.MappedExternalPort, got.PortMappingLifetimeInSeconds
	}
	return a, nil
}

// failed tells a refusal from silence. The library says which it was only in
// the text of its errors.
func (l pmpLibrary) failed(a PMPAnswer, err error) (PMPAnswer, error) {
	var code uint16
	if n, _ := fmt.Sscanf(strings.ToLower(err.Error()), "non-zero result code %d", &code); n == 1 {
		a.Result = PMPResult(code)
		return a, nil
	}
	return a, fmt.Errorf("%w from %s: %w", ErrNoPMPAnswer, l.gateway, err)
}
