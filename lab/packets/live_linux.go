package packets

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"

	"peerlab/dissect"
)

// wire is a device that is listened to: an AF_PACKET socket, packet(7).
type wire struct {
	handle       *pcapgo.EthernetHandle
	check        *bpf.VM
	link         uint16
	instructions int
}

// openWire opens a device for packets that pass the filter.
func openWire(device string, filter expr) (*wire, error) {
	intf, err := net.InterfaceByName(device)
	if err != nil {
		return nil, errors.New("there is no such device")
	}
	loop := intf.Flags&net.FlagLoopback != 0
	if !loop && len(intf.HardwareAddr) != 6 {
		return nil, errors.New("only devices with Ethernet frames are understood")
	}
	f := overEthernet
	plain, err := compile(filter, f)
	if err != nil {
		return nil, err
	}
	check, err := bpf.NewVM(plain)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	f.once = loop
	program, err := compile(filter, f)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	h, err := pcapgo.NewEthernetHandle(device)
	if err != nil {
		if strings.Contains(err.Error(), "operation not permitted") { // it wraps nothing
			return nil, errors.New("this needs CAP_NET_RAW (root, or setcap cap_net_raw+ep on the program)")
		}
		return nil, err
	}
	if err := h.SetBPF(raw); err != nil {
		return nil, errors.Join(fmt.Errorf("setting the filter: %w", err), h.Close())
	}
	return &wire{handle: h, check: check, link: uint16(dissect.Ethernet), instructions: len(raw)}, nil
}

// next reads the next packet that passes. From when the socket was opened until
// it had its filter it has taken everything, so the filter is asked here as well.
func (w *wire) next() ([]byte, gopacket.CaptureInfo, error) {
	for {
		data, info, err := w.handle.ReadPacketData()
		if err != nil {
			return nil, info, err
		}
		if n, err := w.check.Run(data); err == nil && n > 0 {
			return data, info, nil
		}
	}
}

func (w *wire) close() { _ = w.handle.Close() } // a second time it is closed already

// missed counts the packets that the kernel had no room for.
func (w *wire) missed() (int, error) {
	s, err := w.handle.Stats()
	if err != nil {
		return 0, err
	}
	return int(s.Drops), nil
}
