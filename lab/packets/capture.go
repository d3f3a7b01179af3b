package packets

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"peerlab/dissect"
	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// capture is what was seen, from wherever.
type capture struct {
	run        *lab.Run
	allowed    bool // the owner of the server lets packets of its host be captured
	expr       expr
	program    []bpf.Instruction // of the filter, for the framing seen last
	own        services          // of the run's servers
	keys       netsim.Keys
	sockets    sides // what went through the client's sockets
	blind      error // why there are no packets,
	unreadable error // and why a file was not read to its end

	mu     sync.Mutex
	vms    map[dissect.LinkType]*bpf.VM
	seen   []seen
	counts stats
	lanes  map[string]bool
}

// seen is one packet.
type seen struct {
	at   time.Time
	link dissect.LinkType
	data []byte
	lost bool
}

// stats are the counts of a capture. dropped is what the kernel had no room
// for, below zero if nobody counted.
type stats struct{ packets, bytes, passed, passedBytes, lost, again, dropped int }

// maxSeen bounds what is looked at when the capture is over.
const maxSeen = 4000

func newCapture(r *lab.Run) *capture {
	return &capture{run: r, expr: anything{}, vms: map[dissect.LinkType]*bpf.VM{}, lanes: map[string]bool{}, counts: stats{dropped: -1}}
}

// filter sets the filter, before there are packets.
func (c *capture) filter(text string, names services) (err error) {
	if c.expr, err = parseFilter(text, names); err == nil {
		c.program, err = compile(c.expr, overIP)
	}
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// region tap

// tapped takes a packet of the emulated link. No privilege is needed for that:
// the wire is a part of this program, and the tap is a function it calls.
func (c *capture) tapped(p netsim.Packet, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(seen{at: p.At, link: dissect.RawIP, data: p.Data, lost: p.Lost})
	if p.Lost {
		c.counts.lost++
	}
	if p.Retransmit {
		c.counts.again++
	}
}

// endregion

// count asks the filter about a packet and keeps it.
func (c *capture) count(s seen) {
	c.counts.packets++
	c.counts.bytes += len(s.data)
	if c.passes(s) {
		c.counts.passed++
		c.counts.passedBytes += len(s.data)
	}
	if len(c.seen) < maxSeen {
		c.seen = append(c.seen, s)
	}
}

// passes runs the filter's program on a packet, as the kernel would.
func (c *capture) passes(s seen) bool {
	vm, known := c.vms[s.link]
	if !known {
		// What compiled for one framing does for the others; if not, nothing passes.
		if program, err := compile(c.expr, framings[s.link]); err == nil {
			vm, _ = bpf.NewVM(program)
			c.program = program
		}
		c.vms[s.link] = vm
	}
	if vm == nil {
		return false
	}
	n, err := vm.Run(s.data)
	return err == nil && n > 0
}

// captured takes a packet that is not of the emulated link, and records it.
func (c *capture) captured(on netsim.Interface, at time.Time, data []byte, attrs map[string]string) {
	link := dissect.LinkType(on.LinkType)
	e := c.event(data, link)
	for k, v := range attrs {
		e.Attrs[k] = v
	}
	c.run.Captured(lab.Captured{On: on, At: at, Data: data}, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(seen{at: at, link: link, data: data})
}

// event is the message that a packet is, by what its innermost layer says.
func (c *capture) event(data []byte, link dissect.LinkType) trace.Event {
	e := trace.Event{Kind: trace.Message, Layer: trace.IP, Name: fmt.Sprintf("%d bytes", len(data)), Attrs: map[string]string{"size": fmt.Sprintf("%d B", len(data))}}
	d := dissect.Do(data, link)
	for _, l := range d.Layers {
		if l.Layer != "" && l.Name != "Payload" && l.Name != "Padding" {
			e.Layer, e.Name = trace.Layer(l.Layer), l.Name+": "+l.Summary
		}
	}
	if d.Problem != "" {
		e.Text = d.Problem
	}
	from, to := c.ends(data, link)
	e.From, e.To = from, to
	return e
}

// ends are the lanes of a packet: its addresses, as long as they are few.
func (c *capture) ends(data []byte, link dissect.LinkType) (from, to string) {
	decoded := gopacket.NewPacket(data, dissect.First(data, link), gopacket.DecodeOptions{NoCopy: true, Lazy: true})
	network := decoded.NetworkLayer()
	if network == nil {
		return "link", "link"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	src, dst := network.NetworkFlow().Endpoints()
	var srcPort, dstPort gopacket.Endpoint
	if transport := decoded.TransportLayer(); transport != nil {
		srcPort, dstPort = transport.TransportFlow().Endpoints()
	}
	within := src == dst // one machine with itself: the ports are its ends
	return c.lane(src, srcPort, within), c.lane(dst, dstPort, within)
}

const maxLanes = 6

// lane names one end of a packet: as the host of the run that it is, or by its
// address, with its port if that is what tells the two ends apart.
func (c *capture) lane(e, port gopacket.Endpoint, ports bool) string {
	a, ok := netip.AddrFromSlice(e.Raw())
	if !ok {
		return "link"
	}
	if b := port.Raw(); c.own != nil && len(b) == 2 {
		n := binary.BigEndian.Uint16(b)
		if c.own.has(uint32(n)) {
			return "server"
		}
		var at net.Addr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, n))
		if port.EndpointType() == layers.EndpointUDPPort {
			at = net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, n))
		}
		if host := c.run.HostOf(at); host != "" {
			return host
		}
	}
	name := a.String()
	if b := port.Raw(); ports && len(b) == 2 {
		name = netip.AddrPortFrom(a, binary.BigEndian.Uint16(b)).String()
	}
	if !c.lanes[name] && len(c.lanes) >= maxLanes {
		return "others"
	}
	c.lanes[name] = true
	return name
}

func (c *capture) stats() stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// packets are those seen so far.
func (c *capture) packets() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[:len(c.seen):len(c.seen)]
}

// conversations are the streams of what was seen: of the packets, or where there
// are none of the sockets.
func (c *capture) conversations() []conversation {
	if c.blind != nil {
		return c.sockets.list()
	}
	return reassemble(c.packets())
}
