package portmapping

import (
	"fmt"
	"net"
	"net/netip"

	"peerlab/igdsim"
	"peerlab/lab"
)

// openDesk puts a simulated router on the loopback for people to talk to by
// hand. Its table is real and there is no NAT behind it: it forwards nothing.
func openDesk(r *lab.Run) error {
	host, err := r.Host(router)
	if err != nil {
		return err
	}
	desk, err := igdsim.New(igdsim.Config{Name: "Simulated router to play with", Host: host, NAT: nowhere{}, OnChange: tableOf(r, router)})
	if err != nil {
		return err
	}
	r.Go(desk.Run)
	web, ssdp, pmp := desk.Addresses()
	r.Live("url", fmt.Sprintf("http://%s/", web))
	for name, addr := range map[string]net.Addr{"ssdp": ssdp, "pmp": pmp} {
		at, err := netip.ParseAddrPort(addr.String())
		if err != nil {
			return err
		}
		r.Live("host", at.Addr().String())
		r.Live(name, fmt.Sprint(at.Port()))
	}
	r.Note("A simulated router answers on the loopback: see the commands. It keeps a table and forwards nothing.")
	return nil
}

// nowhere is a NAT that leads nowhere.
type nowhere struct{}

func (nowhere) External() netip.Addr                         { return netip.AddrFrom4([4]byte{203, 0, 113, 1}) }
func (nowhere) Forward(string, uint16, netip.AddrPort) error { return nil }
func (nowhere) Unforward(string, uint16) bool                { return true }
