package dissect_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/pion/stun"
	"golang.org/x/net/dns/dnsmessage"
)

var (
	macA, macB = net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	ip4A, ip4B = net.IP{192, 0, 2, 1}, net.IP{192, 0, 2, 2}
	ip6A, ip6B = net.ParseIP("2001:db8::1"), net.ParseIP("2001:db8::2")
)

// frames are one of each kind, as programs other than this one write them.
func frames(t testing.TB) map[string][]byte {
	name := dnsmessage.MustNewName("www.lab.example.")
	question := dnsmessage.Question{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: 406, Response: true, Authoritative: true}, Questions: []dnsmessage.Question{question}, Answers: []dnsmessage.Resource{
		{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 9}}},
	}}
	reply, err := answer.Pack()
	if err != nil {
		t.Fatal(err)
	}
	binding, err := stun.Build(stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: ip4A, Port: 4711}, stun.NewSoftware("a test"), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	syn := &layers.TCP{SrcPort: 49152, DstPort: 80, Seq: 0xfffffff0, SYN: true, Window: 64240, Options: []layers.TCPOption{
		{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 180}},
		{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 1, 0, 0, 0, 0, 7}},
		{OptionType: layers.TCPOptionKindNop},
		{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
	}}
	// An Initial with a token of two bytes and 20 bytes under seal, a Handshake, and zeros.
	quic := append([]byte{0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 3, 9, 9, 9, 2, 7, 7, 0x40, 20}, bytes.Repeat([]byte{0xaa}, 20)...)
	quic = append(quic, 0xe3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 3, 9, 9, 9, 21)
	quic = append(quic, bytes.Repeat([]byte{0xbb}, 21)...)
	h2 := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0)
	h2 = append(h2, 0, 0, 4, 8, 0, 0, 0, 0, 3, 0, 0, 1, 0)
	get := []byte("GET /page?x=1 HTTP/1.1\r\nHost: www.lab.example\r\nUser-Agent: a test\r\n\r\n")
	return map[string][]byte{
		"ARP": frame(t, &layers.Ethernet{SrcMAC: macA, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
			&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: 1,
				SourceHwAddress: macA, SourceProtAddress: ip4A, DstHwAddress: make([]byte, 6), DstProtAddress: ip4B}),
		"SYN":  overIPv4(t, syn),
		"HTTP": overIPv6(t, &layers.TCP{SrcPort: 49152, DstPort: 80, Seq: 1, Ack: 2, ACK: true, PSH: true, Window: 500}, get),
		"H2":   overIPv4(t, &layers.TCP{SrcPort: 49152, DstPort: 8080, Seq: 1, Ack: 1, ACK: true, Window: 500}, h2...),
		"DNS":  overIPv4(t, &layers.UDP{SrcPort: 53, DstPort: 50000}, reply...),
		"STUN": overIPv4(t, &layers.UDP{SrcPort: 3478, DstPort: 50000}, binding.Raw...),
		"TLS":  overIPv4(t, &layers.TCP{SrcPort: 49152, DstPort: 443, Seq: 1, Ack: 1, ACK: true, Window: 500}, clientHello(t)...),
		"QUIC": overIPv4(t, &layers.UDP{SrcPort: 50000, DstPort: 443}, append(quic, make([]byte, 40)...)...),
		"ICMP": overIPv4(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1, Seq: 2}, []byte("ping")...),
	}
}

func overIPv4(t testing.TB, l gopacket.SerializableLayer, payload ...byte) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 63, Id: 77, Flags: layers.IPv4DontFragment, SrcIP: ip4A, DstIP: ip4B}
	switch l := l.(type) {
	case *layers.TCP:
		ip.Protocol = layers.IPProtocolTCP
		check(t, l.SetNetworkLayerForChecksum(ip))
	case *layers.UDP:
		ip.Protocol = layers.IPProtocolUDP
		check(t, l.SetNetworkLayerForChecksum(ip))
	default:
		ip.Protocol = layers.IPProtocolICMPv4
	}
	return frame(t, &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: layers.EthernetTypeIPv4}, ip, l, gopacket.Payload(payload))
}

func overIPv6(t testing.TB, tcp *layers.TCP, payload []byte) []byte {
	ip := &layers.IPv6{Version: 6, FlowLabel: 0x12345, NextHeader: layers.IPProtocolTCP, HopLimit: 62, SrcIP: ip6A, DstIP: ip6B}
	check(t, tcp.SetNetworkLayerForChecksum(ip))
	return frame(t, &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: layers.EthernetTypeIPv6}, ip, tcp, gopacket.Payload(payload))
}

func frame(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	check(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return bytes.Clone(buf.Bytes())
}

// clientHello is what crypto/tls says first.
func clientHello(t testing.TB) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer there.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(here, &tls.Config{ServerName: "www.lab.example", NextProtos: []string{"h2", "http/1.1"}}).Handshake() // nobody answers
	}()
	b := make([]byte, 4096)
	n, err := there.Read(b)
	check(t, err)
	check(t, there.Close())
	<-done
	return b[:n]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
