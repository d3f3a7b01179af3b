package lab

import (
	"io"
	"sync"

	"peerlab/netsim"
)

// packets keeps the packets of a run, up to a number of bytes.
type packets struct {
	cap int // bytes

	mu    sync.Mutex
	list  []variantPacket
	bytes int
	left  int
}

// variantPacket is a packet on the network of one variant.
type variantPacket struct {
	variant string
	netsim.Packet
}

// packetSize is about what one packet costs besides its bytes.
const packetSize = 200

func newPackets(bytes int) *packets { return &packets{cap: bytes} }

func (p *packets) add(variant string, pkt netsim.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := len(pkt.Data) + packetSize
	if p.bytes+size > p.cap {
		p.left++
		return
	}
	p.bytes += size
	p.list = append(p.list, variantPacket{variant, pkt})
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

func (p *packets) write(w io.Writer) error {
	return ErrNoPackets
}
