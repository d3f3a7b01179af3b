package netsim

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// Parts of a pcapng file, draft-ietf-opsawg-pcapng sections 3 and 4.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockNames     = 4
	blockPacket    = 6
	blockSecrets   = 10
	secretsTLS     = 0x544c534b // "TLSK", a key log

	byteOrderMagic = 0x1a2b3c4d
	// LinkTypeRaw is what a packet of a Net begins with: an IP header.
	LinkTypeRaw = 101

	optEnd         = 0
	optComment     = 1
	optInterface   = 2 // if_name
	optTimeUnit    = 9 // if_tsresol
	optApplication = 4 // shb_userappl
	nanoseconds    = 9 // 10^-9
	recordNames4   = 1 // nrb_record_ipv4
	recordNamesEnd = 0
	wholeLength    = ^uint64(0) // of a section: not known
	blockOverhead  = 12         // block type and both lengths
)

// PcapngWriter writes packets as a pcapng file, which Wireshark and tshark
// open: bare IP packets as the sender gave them to the line, with nanosecond
// times. A lost packet is in the file, since it was sent, with a comment that
// tells why it was lost; the comment of any other tells how long it takes. Host
// names are in the file too (Wireshark: resolve network addresses), and keys, so that
// it shows the inside of TLS and DTLS.
//
// It is not safe for concurrent use.
type PcapngWriter struct {
	w          io.Writer
	left       int64
	interfaces int
	named      map[netip.Addr]bool
}

// NewPcapngWriter begins a file of at most limit bytes. Each packet belongs
// to one of the interfaces, which have the names given, or "link" if there are none.
func NewPcapngWriter(w io.Writer, limit int64, interfaces ...string) (*PcapngWriter, error) {
	if len(interfaces) == 0 {
		interfaces = []string{"link"}
	}
	var all []Interface
	for _, name := range interfaces {
		all = append(all, Interface{name, LinkTypeRaw})
	}
	return NewPcapngWriterFor(w, limit, all)
}

// Interface is where packets of a file were seen.
type Interface struct {
	Name string
	// LinkType says what they begin with, by the numbers of pcap files.
	LinkType uint16
}

// NewPcapngWriterFor is NewPcapngWriter for packets that were seen elsewhere
// than on a Net, too.
func NewPcapngWriterFor(w io.Writer, limit int64, interfaces []Interface) (*PcapngWriter, error) {
	p := &PcapngWriter{w: w, left: limit, interfaces: len(interfaces), named: make(map[netip.Addr]bool)}
	section := le32(nil, byteOrderMagic)
	section = binary.LittleEndian.AppendUint16(section, 1) // version 1.0
	section = binary.LittleEndian.AppendUint16(section, 0)
	section = binary.LittleEndian.AppendUint64(section, wholeLength)
	section = option(section, optApplication, []byte("peerlab netsim"))
	file := block(nil, blockSection, option(section, optEnd, nil))
	for _, on := range interfaces {
		body := binary.LittleEndian.AppendUint16(nil, on.LinkType)
		body = binary.LittleEndian.AppendUint16(body, 0)
		body = le32(body, 0) // no limit on what was kept of a packet
		body = option(body, optInterface, []byte(on.Name))
		body = option(body, optTimeUnit, []byte{nanoseconds})
		file = block(file, blockInterface, option(body, optEnd, nil))
	}
	return p, p.write(file)
}

// Write adds a packet, to the interface of that number. The error is ErrFull
// when the file has reached its limit, ErrConfig for an interface that isn't
// there, or what the writer below said.
func (p *PcapngWriter) Write(iface int, pkt Packet) error {
	if iface < 0 || iface >= p.interfaces {
		return fmt.Errorf("%w: capture has no interface %d", ErrConfig, iface)
	}
	out := p.names(nil, pkt)
	at := uint64(pkt.At.UnixNano())
	body := le32(nil, uint32(iface))
	body = le32(body, uint32(at>>32))
	body = le32(body, uint32(at))
	body = le32(body, uint32(len(pkt.Data)))
	body = le32(body, uint32(len(pkt.Data)))
	body = pad(append(body, pkt.Data...))
	switch {
	case pkt.Lost:
		body = option(body, optComment, []byte(pkt.Why))
	case !pkt.Arrive.IsZero():
		body = option(body, optComment, []byte("arrives after "+pkt.Took().String()))
	}
	out = block(out, blockPacket, option(body, optEnd, nil))
	if err := p.write(out); err != nil {
		return err
	}
	p.named[pkt.Src.Addr()] = p.named[pkt.Src.Addr()] || pkt.SrcIs != ""
	p.named[pkt.Dst.Addr()] = p.named[pkt.Dst.Addr()] || pkt.DstIs != ""
	return nil
}

// Secrets adds a key log (see Keys). Readers use it for the packets that come after
// it. An empty one adds nothing.
func (p *PcapngWriter) Secrets(keyLog string) error {
	if keyLog == "" {
		return nil
	}
	body := le32(le32(nil, secretsTLS), uint32(len(keyLog)))
	return p.write(block(nil, blockSecrets, pad(append(body, keyLog...))))
}

// names adds a block with the names of hosts that are new in the file.
func (p *PcapngWriter) names(out []byte, pkt Packet) []byte {
	var body []byte
	for _, host := range []struct {
		addr netip.Addr
		name string
	}{{pkt.Src.Addr(), pkt.SrcIs}, {pkt.Dst.Addr(), pkt.DstIs}} {
		if !host.addr.Is4() || p.named[host.addr] || host.name == "" {
			continue
		}
		a := host.addr.As4()
		body = option(body, recordNames4, append(append(a[:], host.name...), 0))
	}
	if body == nil {
		return out
	}
	return block(out, blockNames, option(body, recordNamesEnd, nil))
}

func (p *PcapngWriter) write(b []byte) error {
	if int64(len(b)) > p.left {
		return fmt.Errorf("%w: the capture has reached its size", ErrFull)
	}
	p.left -= int64(len(b))
	if _, err := p.w.Write(b); err != nil {
		return fmt.Errorf("netsim: writing pcapng: %w", err)
	}
	return nil
}

// WritePcapng writes packets as one pcapng file with one interface.
func WritePcapng(w io.Writer, packets []Packet) error {
	const noLimit = 1<<63 - 1
	p, err := NewPcapngWriter(w, noLimit)
	if err != nil {
		return err
	}
	for _, pkt := range packets {
		if err := p.Write(0, pkt); err != nil {
			return err
		}
	}
	return nil
}

// block appends a block with its type and length around it.
func block(out []byte, kind uint32, body []byte) []byte {
	size := uint32(len(body) + blockOverhead)
	out = le32(le32(out, kind), size)
	return le32(append(out, body...), size)
}

// option appends an option, or a name record, which looks the same.
func option(out []byte, code uint16, value []byte) []byte {
	out = binary.LittleEndian.AppendUint16(out, code)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(value)))
	return pad(append(out, value...))
}

// pad fills up to 32 bits. What it is given begins on a 32-bit boundary.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func le32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
