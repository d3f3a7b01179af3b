package dissect

import (
	"bytes"
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// LinkType says what a packet begins with, by the numbers of pcap files.
type LinkType = layers.LinkType

// Link types that files and captures here have.
const (
	Ethernet LinkType = layers.LinkTypeEthernet
	RawIP    LinkType = layers.LinkTypeRaw // IPv4 or IPv6, no framing
)

// Packet is a packet taken apart.
type Packet struct {
	Layers []Layer `json:"layers"`
	// Problem is what could not be read, as a sentence, or empty.
	Problem string `json:"problem,omitempty"`
}

// Layer is one header, or message, and the bytes it takes.
type Layer struct {
	// Name is what the field calls it: "IPv4", "TCP", "TLS record".
	Name string `json:"name"`
	// Layer is its name in a trace: "ip", "tcp", "tls"; empty if it has none.
	Layer string `json:"layer,omitempty"`
	// Summary is the layer in a few words.
	Summary string `json:"summary"`
	// At and Len say which bytes of the packet it is.
	At  int `json:"at"`
	Len int `json:"len"`
	// Fields stand in the order of their bits.
	Fields []Field `json:"fields"`
}

// Field is one named value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Note says what the value means, if that is not plain.
	Note string `json:"note,omitempty"`
	// Bit and Bits say where in the packet it is, counted from its first bit.
	Bit  int `json:"bit"`
	Bits int `json:"bits"`
}

// maxLayers and maxFields bound what a packet can be made into.
const (
	maxLayers = 32
	maxFields = 400
	maxValue  = 200 // bytes of a value
)

// Do takes a packet apart. It never panics and keeps nothing of data.
func Do(data []byte, link LinkType) (p Packet) {
	d := &dissection{data: data}
	defer func() {
		// gopacket recovers its decoders' panics itself; this is for the rest.
		if what := recover(); what != nil {
			p = Packet{Layers: d.layers, Problem: "A decoder gave up on it."}
		}
	}()
	d.run(First(data, link))
	return Packet{Layers: d.layers, Problem: d.problem}
}

// First is the decoder of gopacket to begin with.
func First(data []byte, link LinkType) gopacket.Decoder {
	switch link {
	case layers.LinkTypeRaw, 12, 14, layers.LinkTypeIPv4, layers.LinkTypeIPv6: // raw IP goes by several numbers
		if len(data) > 0 && data[0]>>4 == 6 {
			return layers.LayerTypeIPv6
		}
		return layers.LayerTypeIPv4
	}
	return link
}

// dissection is a packet on the way to being taken apart.
type dissection struct {
	data    []byte
	layers  []Layer
	fields  int
	problem string
}

// network is what a checksum of TCP or UDP takes from the layer below.
type network struct{ src, dst []byte }

func (d *dissection) run(begin gopacket.Decoder) {
	// Nothing is copied, so that a layer's bytes can be found in the packet;
	// the packet is not changed while this goes on.
	decoded := gopacket.NewPacket(d.data, begin, gopacket.DecodeOptions{NoCopy: true})
	d.each(decoded.Layers())
	if decoded.Metadata().Truncated && d.problem == "" {
		d.problem = "The packet is cut off: it says that it is longer than what was kept."
	}
}

func (d *dissection) each(all []gopacket.Layer) {
	var below network
	for _, l := range all {
		if len(d.layers) >= maxLayers {
			d.problem = fmt.Sprintf("More than %d layers; the rest is left out.", maxLayers)
			return
		}
		at, ok := offset(d.data, l.LayerContents())
		if !ok {
			continue // put together elsewhere: not bytes of this packet
		}
		end := at + len(l.LayerContents())
		switch l := l.(type) {
		case *layers.Ethernet:
			d.layer("Ethernet", "", at, end, ethernet)
		case *layers.ARP:
			d.layer("ARP", "", at, end, arp)
		case *layers.LinuxSLL:
			d.layer("Linux cooked", "", at, end, cooked)
		case *layers.LinuxSLL2:
			d.layer("Linux cooked 2", "", at, end, cooked2)
		case *layers.IPv4:
			below = network{l.SrcIP.To4(), l.DstIP.To4()}
			d.layer("IPv4", "ip", at, end, ipv4)
		case *layers.IPv6:
			below = network{l.SrcIP, l.DstIP}
			d.layer("IPv6", "ip", at, end, ipv6)
		case *layers.ICMPv4:
			d.layer("ICMP", "ip", at, end, icmp)
		case *layers.ICMPv6:
			d.layer("ICMPv6", "ip", at, end, icmp)
		case *layers.TCP:
			d.layer("TCP", "tcp", at, end, func(c *cutter) { tcp(c, below, l.Payload) })
			d.application(end, l.Payload, true, uint16(l.SrcPort), uint16(l.DstPort))
			return
		case *layers.UDP:
			d.layer("UDP", "udp", at, end, func(c *cutter) { udp(c, below, l.Payload) })
			if d.application(end, l.Payload, false, uint16(l.SrcPort), uint16(l.DstPort)) {
				return
			}
		case *gopacket.DecodeFailure:
			d.problem = "The rest can't be read: " + printable(clip(l.Error().Error())) + "."
			d.rest(at, end-at)
		case *gopacket.Payload:
			d.rest(at, end-at)
		default:
			d.layer(l.LayerType().String(), "", at, end, func(c *cutter) {
				c.layer.Summary = fmt.Sprintf("%d bytes", len(l.LayerContents()))
				c.bytes("bytes", len(l.LayerContents()), hexed)
			})
		}
	}
}

// layer adds a layer of the bytes [at, end) with what read cuts off them.
func (d *dissection) layer(name, colour string, at, end int, read func(*cutter)) {
	if len(d.layers) >= maxLayers {
		return
	}
	c := &cutter{d: d, layer: Layer{Name: name, Layer: colour, At: at, Len: end - at, Fields: []Field{}}, bit: at * 8, end: end * 8}
	defer func() { d.layers = append(d.layers, c.layer) }()
	read(c)
	if c.short != "" && d.problem == "" {
		d.problem = fmt.Sprintf("%s ends within its field “%s”.", name, c.short)
	}
}

// rest adds what nobody knows how to read.
func (d *dissection) rest(at, n int) {
	if n == 0 {
		return
	}
	name := "Payload"
	if len(bytes.Trim(d.data[at:at+n], "\x00")) == 0 {
		name = "Padding"
	}
	d.layer(name, "app", at, at+n, func(c *cutter) {
		c.layer.Summary = fmt.Sprintf("%d bytes", n)
		c.bytes("bytes", n, readable)
	})
}

// offset finds a part in the whole that it is cut from: both end at the same
// byte of memory when stretched to their capacity.
func offset(whole, part []byte) (int, bool) {
	at := cap(whole) - cap(part)
	if len(part) == 0 || at < 0 || at+len(part) > len(whole) || &whole[at] != &part[0] {
		return 0, false
	}
	return at, true
}
