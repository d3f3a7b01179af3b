package netlab

import (
	"fmt"
	"net"
	"time"
)

// carrierWithin is how long an interface that was set up may take to run.
const carrierWithin = 5 * time.Second

// awaitCarrier waits until both ends of the host's cable run. The kernel tells
// the bridge a moment after the command that set them up is done, and until
// then it drops what the host sends: an ARP request or SYN, whose second try
// comes a second later.
func (h *Host) awaitCarrier() error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(carrierWithin)
	for _, end := range []struct {
		ns   *namespace
		name string
	}{{h.ns, nic}, {h.segment.ns, h.port}} {
		for {
			up, err := end.ns.running(end.name)
			if err != nil {
				return err
			}
			if up {
				break
			}
			select {
			case <-tick.C:
			case <-deadline:
				return fmt.Errorf("interface %s of %s does not run after %v", end.name, end.ns.name, carrierWithin)
			}
		}
	}
	return nil
}

// running tells whether an interface can pass packets.
func (n *namespace) running(name string) (up bool, err error) {
	err = n.do(func() error {
		found, err := net.InterfaceByName(name)
		if err != nil {
			return fmt.Errorf("look at interface %s: %w", name, err)
		}
		up = found.Flags&net.FlagRunning != 0
		return nil
	})
	return up, err
}
