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
	left   int      // seen, but not kept
	wires  []string // the variants that had packets: an interface each in the file
	wireOf map[string]int
	keys   netsim.Keys // what programs on the hosts told
}

// kept is a packet and the number of the network it was on.
type kept struct {
	wire int
	netsim.Packet
}

// packetSize is about what one packet costs besides its bytes.
const packetSize = 320

func newPackets(bytes int) *packets { return &packets{max: bytes, wireOf: map[string]int{}} }

func (p *packets) add(variant string, pkt netsim.Packet) {
	pkt.Attrs, pkt.Summary, pkt.Note = nil, "", "" // these are in the event
	p.mu.Lock()
	defer p.mu.Unlock()
	size := len(pkt.Data) + packetSize
	if p.bytes+size > p.max {
		p.left++
		return
	}
	wire, known := p.wireOf[variant]
	if !known {
		wire = len(p.wires)
		p.wireOf[variant] = wire
		p.wires = append(p.wires, variant)
	}
	p.bytes += size
	p.list = append(p.list, kept{wire, pkt})
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
	for i, name := range wires {
		if name == "" {
			wires[i] = "link"
		}
	}
	file, err := netsim.NewPcapngWriter(w, math.MaxInt64, wires...)
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
