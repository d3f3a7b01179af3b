package packets

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"peerlab/netsim"
)

// Why the packets of this host are not captured.
var (
	errOff       = errors.New("this server was started without --capture")
	errElsewhere = errors.New("only who sits at the server's own machine, and opened it as localhost, may see its packets")
)

// live captures packets of this host while the conversation goes on: of a
// device, by the kernel's own filter. It returns what ends the capture.
func (c *capture) live(p Params) (stop func(), err error) {
	switch {
	case !c.allowed:
		return nil, errOff
	case !c.run.Owner():
		return nil, errElsewhere
	}
	wanted := c.expr
	if p.Ports == "own" {
		wanted = anyPort(c.own)
	}
	w, err := openWire(p.Device, wanted)
	if err != nil {
		return nil, fmt.Errorf("capturing on %s: %w", p.Device, err)
	}
	c.run.Note("Capturing on %s; the kernel's filter has %d instructions.", p.Device, w.instructions)
	done := make(chan struct{})
	c.run.Go(func(ctx context.Context) error {
		defer close(done)
		defer context.AfterFunc(ctx, w.close)()
		c.listen(w, netsim.Interface{Name: p.Device, LinkType: w.link})
		return nil
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			if missed, err := w.missed(); err == nil {
				c.mu.Lock()
				c.counts.dropped = missed
				c.mu.Unlock()
			}
			w.close()
			<-done
		})
	}, nil
}

// region listen

// listen reads packet after packet until the wire is closed. Each read gives a
// copy of its own, because what is read is kept.
func (c *capture) listen(w *wire, on netsim.Interface) {
	for range maxSeen {
		data, info, err := w.next()
		if err != nil {
			return // closed
		}
		c.captured(on, info.Timestamp, data, nil)
	}
	c.run.Note("The capture is full with %d packets.", maxSeen)
}

// endregion

// anyPort is a filter for packets from or to one of the ports.
func anyPort(ports services) expr {
	var e expr
	for _, n := range ports {
		if e == nil {
			e = port{number: n}
		} else {
			e = either{e, port{number: n}}
		}
	}
	return e
}
