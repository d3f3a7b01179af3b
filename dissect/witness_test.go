package dissect_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/dissect"
	"peerlab/need"
)

// same pairs our fields with tshark's, by the layer they are in.
var same = map[string]map[string]string{
	"Ethernet": {"to": "eth.dst", "from": "eth.src", "type": "eth.type"},
	"ARP": {"operation": "arp.opcode", "sender's hardware": "arp.src.hw_mac", "sender's address": "arp.src.proto_ipv4", "target's address": "arp.dst.proto_ipv4",
		"hardware": "arp.hw.type", "protocol": "arp.proto.type"},
	"IPv4": {"version": "ip.version", "header length": "ip.hdr_len", "service": "ip.dsfield.dscp", "total length": "ip.len", "identification": "ip.id", "don't fragment": "ip.flags.df",
		"fragment offset": "ip.frag_offset", "time to live": "ip.ttl", "protocol": "ip.proto", "checksum": "ip.checksum", "from": "ip.src", "to": "ip.dst"},
	"IPv6": {"flow label": "ipv6.flow", "payload length": "ipv6.plen", "next header": "ipv6.nxt", "hop limit": "ipv6.hlim", "from": "ipv6.src", "to": "ipv6.dst"},
	"TCP": {"from port": "tcp.srcport", "to port": "tcp.dstport", "sequence number": "tcp.seq_raw", "acknowledgement": "tcp.ack_raw", "SYN": "tcp.flags.syn", "ACK": "tcp.flags.ack", "PSH": "tcp.flags.push",
		"window": "tcp.window_size_value", "checksum": "tcp.checksum", "maximum segment size": "tcp.options.mss_val", "window scale": "tcp.options.wscale.shift",
		"sender's clock": "tcp.options.timestamp.tsval", "echo of the other's clock": "tcp.options.timestamp.tsecr"},
	"UDP":          {"from port": "udp.srcport", "to port": "udp.dstport", "length": "udp.length", "checksum": "udp.checksum"},
	"ICMP":         {"type": "icmp.type", "code": "icmp.code", "checksum": "icmp.checksum"},
	"DNS":          {"id": "dns.id", "asked for": "dns.qry.name", "answer ": "dns.resp.name", "time to live": "dns.resp.ttl", "address": "dns.a", "questions": "dns.count.queries"},
	"HTTP/1":       {"method": "http.request.method", "target": "http.request.uri", "version": "http.request.version"},
	"TLS record":   {"content": "tls.record.content_type", "length": "tls.record.length", "message": "tls.handshake.type", "message length": "tls.handshake.length", "random": "tls.handshake.random", "session id": "tls.handshake.session_id"},
	"HTTP/2 frame": {"length": "http2.length", "type": "http2.type", "stream": "http2.streamid", "increment": "http2.window_update.window_size_increment", "INITIAL_WINDOW_SIZE": "http2.settings.initial_window_size"},
	"QUIC": {"long header": "quic.header_form", "fixed": "quic.fixed_bit", "version": "quic.version", "receiver's connection id length": "quic.dcil", "receiver's connection id": "quic.dcid",
		"sender's connection id length": "quic.scil", "sender's connection id": "quic.scid", "token length": "quic.token_length", "token": "quic.token"},
	"STUN": {"length": "stun.length", "magic cookie": "stun.cookie", "transaction id": "stun.id"},
}

// pdml is the dissection that tshark makes, as far as it is compared.
type pdml struct {
	Packets []struct {
		Fields []pdmlField `xml:"proto"`
	} `xml:"packet"`
}

type pdmlField struct {
	Name   string      `xml:"name,attr"`
	Show   string      `xml:"show,attr"`
	Pos    int         `xml:"pos,attr"`
	Size   int         `xml:"size,attr"`
	Fields []pdmlField `xml:"field"`
}

func (f pdmlField) find(name string, all []pdmlField) []pdmlField {
	if f.Name == name {
		all = append(all, f)
	}
	for _, c := range f.Fields {
		all = c.find(name, all)
	}
	return all
}

func TestTsharkFindsTheSameFieldsAtTheSameBytes(t *testing.T) {
	t.Parallel()
	tshark := need.Tool(t, "tshark", "tshark")
	names, list := []string{}, [][]byte{}
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	check(t, err)
	for name, data := range frames(t) {
		names, list = append(names, name), append(list, data)
		check(t, w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(data), Length: len(data)}, data))
	}
	check(t, w.Flush())
	path := filepath.Join(t.TempDir(), "frames.pcapng")
	check(t, os.WriteFile(path, file.Bytes(), 0o600))
	out, err := exec.CommandContext(t.Context(), tshark, "-n", "-r", path, "-T", "pdml").Output()
	check(t, err)
	var theirs pdml
	check(t, xml.Unmarshal(out, &theirs))
	if len(theirs.Packets) != len(list) {
		t.Fatalf("tshark reads %d packets of %d", len(theirs.Packets), len(list))
	}
	compared := 0
	for i, data := range list {
		ours := dissect.Do(data, dissect.Ethernet)
		if ours.Problem != "" {
			t.Errorf("%s: %s", names[i], ours.Problem)
		}
		for _, l := range ours.Layers {
			for _, f := range l.Fields {
				theirName, paired := same[l.Name][f.Name]
				if !paired {
					continue
				}
				var all []pdmlField
				for _, proto := range theirs.Packets[i].Fields {
					all = proto.find(theirName, all)
				}
				if len(all) == 0 {
					t.Errorf("%s: tshark has no %s", names[i], theirName)
					continue
				}
				compared++
				from, to := f.Bit/8, (f.Bit+f.Bits+7)/8
				if i := slices.IndexFunc(all, func(f pdmlField) bool { return f.Pos == from }); i > 0 {
					all = all[i:] // there is more than one of them in the packet
				}
				if all[0].Pos != from || all[0].Size != to-from {
					t.Errorf("%s: %s is at %d–%d, tshark has %s at %d–%d", names[i], f.Name, from, to, theirName, all[0].Pos, all[0].Pos+all[0].Size)
				}
				if !equal(f, all[0].Show) {
					t.Errorf("%s: %s is %q (%s), tshark shows %q", names[i], f.Name, f.Value, f.Note, all[0].Show)
				}
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d fields were compared", compared)
	}
	t.Logf("%d fields compared", compared)
}

// equal compares values in the two ways they are written.
func equal(f dissect.Field, show string) bool {
	if f.Value == show || strings.TrimSuffix(f.Value, ".") == show || strings.TrimPrefix(f.Value, "0x") == strings.ReplaceAll(show, ":", "") || f.Note == show+" bytes" {
		return true
	}
	if show == "True" || show == "False" {
		return (f.Value == "1") == (show == "True")
	}
	a, err1 := strconv.ParseUint(f.Value, 0, 64)
	b, err2 := strconv.ParseUint(show, 0, 64)
	return err1 == nil && err2 == nil && a == b
}
