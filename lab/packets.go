package lab

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"peerlab/netsim"
)

// packets keeps the packets of a run, up to a number of bytes.
type packets struct {
	max int // bytes

	mu     sync.Mutex
	list   []kept
	bytes  int
	left   int                // seen, but not kept
	wires  []netsim.Interface // the variants that had packets, and what else there was: one each in the file
	wireOf map[netsim.Interface]int
	keys   netsim.Keys // what programs on the hosts told
}

// kept is a packet and the number of the network it was on.
type kept struct {
	wire int
	netsim.Packet
}

// packetSize is about what one packet costs besides its bytes.
const packetSize = 320

func newPackets(bytes int) *packets { return &packets{max: bytes, wireOf: map[netsim.Interface]int{}} }

// add keeps a packet and returns its number in the file, from 1; 0 if there is
// no room for it.
func (p *packets) add(on netsim.Interface, pkt netsim.Packet) int {
	pkt.Attrs, pkt.Summary, pkt.Note = nil, "", "" // these are in the event
	p.mu.Lock()
	defer p.mu.Unlock()
	size := len(pkt.Data) + packetSize
	if p.bytes+size > p.max {
		p.left++
		return 0
	}
	wire, known := p.wireOf[on]
	if !known {
		wire = len(p.wires)
		p.wireOf[on] = wire
		p.wires = append(p.wires, on)
	}
	p.bytes += size
	p.list = append(p.list, kept{wire, pkt})
	return len(p.list)
}

// get finds a packet by its number.
func (p *packets) get(n int) (data []byte, linkType uint16, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < 1 || n > len(p.list) {
		return nil, 0, false
	}
	k := p.list[n-1]
	return k.Data, p.wires[k.wire].LinkType, true
}

func (p *packets) count() (kept, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list), p.left
}

func (p *packets) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// write makes a file of what is kept so far, and of the keys to it. Hosts of two variants have the
// same addresses, so each variant is an interface of its own in it.
func (p *packets) write(w io.Writer) error {
	p.mu.Lock()
	list, wires := slices.Clip(p.list), slices.Clone(p.wires) // what is in the list never changes
	p.mu.Unlock()
	for i, on := range wires {
		if on.Name == "" {
			wires[i].Name = "link"
		}
	}
	if len(wires) == 0 {
		wires = []netsim.Interface{{Name: "link", LinkType: netsim.LinkTypeRaw}}
	}
	file, err := netsim.NewPcapngWriterFor(w, math.MaxInt64, wires)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := file.Secrets(p.keys.Log()); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	for i, k := range list {
		if err := file.Write(k.wire, k.Packet); err != nil {
			return fmt.Errorf("packet %d: %w", i+1, err)
		}
	}
	return nil
}
