//go:build !linux

package packets

import (
	"errors"

	"github.com/gopacket/gopacket"
)

type wire struct {
	link         uint16
	instructions int
}

func openWire(string, expr) (*wire, error) {
	return nil, errors.New("live capture without libpcap is for Linux (AF_PACKET) only")
}

func (*wire) next() ([]byte, gopacket.CaptureInfo, error) {
	return nil, gopacket.CaptureInfo{}, errors.ErrUnsupported
}
func (*wire) close()               {}
func (*wire) missed() (int, error) { return 0, errors.ErrUnsupported }
