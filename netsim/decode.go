package netsim

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// describe fills in what a person reads: Layer, Summary, Note and Attrs. It is
// told of the flow and which direction of it the packet goes, and of the keys if there are any.
func describe(p *Packet, s *segment, v verdict, fl *flow, dir int, keys *Keys) {
	p.Note, p.Retransmit = v.note, v.retransmit
	p.Layer = "ip"
	p.Attrs = map[string]string{"size": strconv.Itoa(len(p.Data)) + " B"}
	// The decoders panic on some malformed packets; gopacket recovers and
	// leaves an error layer.
	decoded := gopacket.NewPacket(p.Data, layers.LayerTypeIPv4, gopacket.DecodeOptions{NoCopy: true})
	names := make([]string, 0, 4)
	for _, l := range decoded.Layers() {
		names = append(names, l.LayerType().String())
		switch l := l.(type) {
		case *layers.IPv4:
			describeIP(p, l)
		case *layers.TCP:
			describeTCP(p, l, s, v)
		case *layers.UDP:
			p.Layer, p.Summary = "udp", fmt.Sprintf("UDP %d B", len(l.Payload))
			describePorts(p, l.Payload)
			reading{Packet: p, said: &fl.said, dir: dir, keys: keys}.describePayload(l.Payload)
		case *layers.DNS:
			if p.Layer == "udp" {
				p.Layer, p.Summary = "dns", dnsSummary(l)
			}
		case *layers.ICMPv4:
			p.Summary = icmpSummary(l)
		}
	}
	p.Attrs["layers"] = strings.Join(names, " ")
	if p.Summary == "" {
		p.Summary = fmt.Sprintf("IP protocol %d, %d B", s.proto, s.length)
	}
	p.Summary = withNote(p.Summary, p.Note)
	if v.after > 0 {
		p.Attrs["sent before"] = v.after.Round(10*time.Microsecond).String() + " ago"
	}
}

func describeIP(p *Packet, l *layers.IPv4) {
	p.Attrs["src"], p.Attrs["dst"] = l.SrcIP.String(), l.DstIP.String()
	p.Attrs["ttl"] = strconv.Itoa(int(l.TTL))
	if l.FragOffset > 0 || l.Flags&layers.IPv4MoreFragments != 0 {
		p.Attrs["fragment"] = fmt.Sprintf("from byte %d", int(l.FragOffset)*8)
		p.Summary = fmt.Sprintf("fragment of %s from byte %d", l.Protocol, int(l.FragOffset)*8)
	}
}

func describePorts(p *Packet, payload []byte) {
	p.Attrs["src"], p.Attrs["dst"] = p.Src.String(), p.Dst.String()
	p.Attrs["len"] = strconv.Itoa(len(payload))
	p.Attrs["flow"] = strconv.Itoa(p.Flow)
	if text := preview(payload); text != "" {
		p.Attrs["payload"] = text
	}
}

func describeTCP(p *Packet, l *layers.TCP, s *segment, v verdict) {
	p.Layer, p.Summary = "tcp", tcpSummary(p.Kind, s, v)
	describePorts(p, l.Payload)
	p.Attrs["flags"] = tcpFlags(l)
	p.Attrs["seq"] = strconv.FormatUint(uint64(v.seq), 10)
	if l.ACK {
		p.Attrs["ack"] = strconv.FormatUint(uint64(v.ack), 10)
	}
	p.Attrs["win"] = strconv.Itoa(v.window)
	for _, o := range l.Options {
		describeOption(p, o, s.ack-v.ack)
	}
}

// describeOption adds a TCP option; isn is what makes its sequence numbers relative.
func describeOption(p *Packet, o layers.TCPOption, isn uint32) {
	b := o.OptionData
	switch {
	case o.OptionType == layers.TCPOptionKindMSS && len(b) == 2:
		p.Attrs["mss"] = strconv.Itoa(int(binary.BigEndian.Uint16(b)))
	case o.OptionType == layers.TCPOptionKindWindowScale && len(b) == 1:
		p.Attrs["wscale"] = strconv.Itoa(int(b[0]))
	case o.OptionType == layers.TCPOptionKindSACKPermitted:
		p.Attrs["sack_permitted"] = "yes"
	case o.OptionType == layers.TCPOptionKindTimestamps && len(b) == 8:
		p.Attrs["ts"] = fmt.Sprintf("%d, echo %d", binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]))
	case o.OptionType == layers.TCPOptionKindSACK && len(b)%8 == 0:
		var blocks []string
		for ; len(b) > 0; b = b[8:] {
			from, to := binary.BigEndian.Uint32(b)-isn, binary.BigEndian.Uint32(b[4:])-isn
			blocks = append(blocks, fmt.Sprintf("%d–%d", from, to-1))
		}
		p.Attrs["sack"] = strings.Join(blocks, ", ")
	}
}

func tcpSummary(k Kind, s *segment, v verdict) string {
	data := fmt.Sprintf("DATA %d–%d (%d B)", v.seq, v.seq+uint32(s.length)-1, s.length)
	switch {
	case k == ACK:
		return "ACK " + strconv.FormatUint(uint64(v.ack), 10)
	case k == Data:
		return data
	case k == FIN && s.length > 0:
		return data + " FIN"
	case k == Other:
		return "TCP without flags"
	default:
		return string(k)
	}
}

func tcpFlags(l *layers.TCP) string {
	var on []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"SYN", l.SYN}, {"FIN", l.FIN}, {"RST", l.RST}, {"PSH", l.PSH},
		{"ACK", l.ACK}, {"URG", l.URG}, {"ECE", l.ECE}, {"CWR", l.CWR},
	} {
		if f.set {
			on = append(on, f.name)
		}
	}
	return strings.Join(on, " ")
}

func dnsSummary(l *layers.DNS) string {
	what := "DNS query"
	if l.QR {
		what = fmt.Sprintf("DNS answer (%d)", len(l.Answers))
		if l.ResponseCode != layers.DNSResponseCodeNoErr {
			what = "DNS " + strings.ToLower(l.ResponseCode.String())
		}
	}
	for _, q := range l.Questions {
		what += fmt.Sprintf(" %s %s", q.Type, preview(q.Name))
	}
	return what
}

func icmpSummary(l *layers.ICMPv4) string {
	switch t := l.TypeCode; {
	case t.Type() == layers.ICMPv4TypeEchoRequest:
		return fmt.Sprintf("ICMP echo request %d", l.Seq)
	case t.Type() == layers.ICMPv4TypeEchoReply:
		return fmt.Sprintf("ICMP echo reply %d", l.Seq)
	case t.Type() == layers.ICMPv4TypeTimeExceeded:
		return "ICMP time exceeded"
	case t.Type() == layers.ICMPv4TypeDestinationUnreachable && t.Code() == layers.ICMPv4CodePort:
		return "ICMP port unreachable"
	case t.Type() == layers.ICMPv4TypeDestinationUnreachable && t.Code() == layers.ICMPv4CodeFragmentationNeeded:
		return "ICMP fragmentation needed"
	case t.Type() == layers.ICMPv4TypeDestinationUnreachable:
		return "ICMP destination unreachable"
	default:
		return fmt.Sprintf("ICMP type %d code %d", t.Type(), t.Code())
	}
}

// preview is the first line of a payload if it is text for a person, in up to
// 80 bytes, else empty.
func preview(payload []byte) string {
	const most = 80
	n := 0
	for n < len(payload) && n < most {
		r, size := utf8.DecodeRune(payload[n:])
		if r == '\r' || r == '\n' {
			break
		}
		if r == utf8.RuneError || r < ' ' && r != '\t' || r == 0x7f {
			return ""
		}
		n += size
	}
	return string(payload[:n])
}
