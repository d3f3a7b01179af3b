package nat

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// routeTable is where Linux lists its IPv4 routes.
const routeTable = "/proc/net/route"

// Neighbour is a router on a network of this host, and our own address there.
type Neighbour struct{ Router, Local netip.Addr }

// DefaultGateways are the routers that this host sends to by default, on its
// private IPv4 networks: where NAT-PMP is asked. Known tells that the system
// says so; where it can't be asked (it can on Linux) each is the first address
// of a network, which is a guess.
func DefaultGateways() (list []Neighbour, known bool) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, false
	}
	routers, known := defaultRouters()
	for _, ifi := range interfaces {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, p := range prefixes(ifi) {
			if !onLAN(p.Addr()) || p.Bits() >= 31 {
				continue
			}
			candidates := routers
			if !known {
				candidates = []netip.Addr{p.Masked().Addr().Next()}
			}
			for _, router := range candidates {
				if p.Contains(router) && router != p.Addr() && len(list) < maxLinks {
					list = append(list, Neighbour{Router: router, Local: p.Addr()})
				}
			}
		}
	}
	return list, known
}

func defaultRouters() ([]netip.Addr, bool) {
	f, err := os.Open(routeTable)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	return readRoutes(f), true
}

// readRoutes finds the gateways of default routes in Linux' list: columns of
// hexadecimal in the byte order of the machine.
func readRoutes(r io.Reader) (routers []netip.Addr) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		column := strings.Fields(lines.Text())
		if len(column) < 8 || column[1] != "00000000" || column[7] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(column[2])
		if err != nil || len(b) != 4 {
			continue
		}
		var a [4]byte
		binary.NativeEndian.PutUint32(a[:], binary.BigEndian.Uint32(b))
		if router := netip.AddrFrom4(a); usable(router) && !slices.Contains(routers, router) {
			routers = append(routers, router)
		}
	}
	return routers
}
