package packets

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"peerlab/dissect"
)

// FuzzFile gives any file to all that reads one: its packets, its keys, the
// streams put together from it, and the TLS records in these.
func FuzzFile(f *testing.F) {
	ip := []byte{0x45, 0, 0, 45, 0, 0, 0, 0, 64, 6, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2}
	segment := append(append(ip, 0, 80, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0), 22, 3, 1, 0, 0)
	header := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	header = append(header, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0)
	record := append(make([]byte, 8), byte(len(segment)), 0, 0, 0, byte(len(segment)), 0, 0, 0)
	f.Add(append(append(header, record...), segment...))
	section := []byte{0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0}
	f.Add(append(section, 10, 0, 0, 0, 24, 0, 0, 0, 0x4b, 0x53, 0x4c, 0x54, 3, 0, 0, 0, 'a', ' ', 'b', 0, 24, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, _ := readFile(data)
		if len(frames) > maxPackets {
			t.Fatalf("%d packets", len(frames))
		}
		var list []seen
		for _, fr := range frames {
			list = append(list, seen{at: fr.at, link: fr.link, data: fr.data})
		}
		log := string(secrets(data))
		for _, c := range reassemble(list) {
			if len(c.client.data) > maxStream || len(c.server.data) > maxStream {
				t.Fatal("a stream beyond its bound")
			}
			teller, total := newTeller(log), opened{}
			for _, r := range c.records() {
				teller.tell(r, &total)
			}
		}
	})
}

// FuzzFilter wants of any text that what compiles runs, on any packet.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{"", "tcp port http", "not (udp or icmp) and src host 10.0.0.1", "less 60 || greater 1000", "((ip6))"} {
		f.Add(text, []byte{0x45, 0, 0, 20})
	}
	f.Fuzz(func(t *testing.T, text string, packet []byte) {
		e, err := parseFilter(text, usual)
		if err != nil {
			return
		}
		for _, on := range []framing{overIP, overEthernet} {
			program, err := compile(e, on)
			if err != nil {
				continue
			}
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if n, err := vm.Run(packet); err != nil || n != 0 && n != whole {
				t.Fatalf("%q: verdict %d, %v", text, n, err)
			}
		}
	})
}

func TestAStreamIsPutTogetherInOrder(t *testing.T) {
	// A segment each of "one ", "two ", "three", the last two in the wrong order, and one twice.
	segment := func(seq uint32, flags byte, text string) seen {
		b := append([]byte{0x45, 0, 0, byte(40 + len(text)), 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 80}, binary.BigEndian.AppendUint32(nil, seq)...)
		b = append(b, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0)
		return seen{at: time.Unix(int64(seq), 0), link: dissect.RawIP, data: append(b, text...)}
	}
	all := reassemble([]seen{segment(99, 2, ""), segment(100, 16, "one "), segment(108, 16, "three"), segment(100, 16, "one "), segment(104, 16, "two ")})
	if len(all) != 1 || string(all[0].client.data) != "one two three" || all[0].client.missing {
		t.Errorf("put together: %q, missing %t", all[0].client.data, all[0].client.missing)
	}
	hole := reassemble([]seen{segment(99, 2, ""), segment(100, 16, "one "), segment(108, 16, "three")})
	if !hole[0].client.missing {
		t.Errorf("%q has no hole", hole[0].client.data)
	}
}

func TestACaptureMayBeginInTheMiddle(t *testing.T) {
	// The server, port 80, is heard first.
	answer := append([]byte{0x45, 0, 0, 45, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 0, 80, 0x30, 0x39, 0, 0, 0, 9, 0, 0, 0, 1, 0x50, 16, 1, 0, 0, 0, 0, 0}, "hello"...)
	all := reassemble([]seen{{at: time.Unix(1, 0), link: dissect.RawIP, data: answer}})
	if len(all) != 1 || string(all[0].server.data) != "hello" || len(all[0].client.data) > 0 || all[0].port != "80" {
		t.Errorf("heard in the middle: %+v", all)
	}
}

func TestAFilterKnowsWhatStandsBeforeTheHeader(t *testing.T) {
	packet := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 80, 0, 0, 0, 9, 0, 0, 0, 1, 0x50, 16, 1, 0, 0, 0, 0, 0}
	cooked := []byte{0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}
	for link, before := range map[dissect.LinkType][]byte{
		dissect.RawIP: nil, layers.LinkTypeIPv4: nil, dissect.Ethernet: {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, layers.LinkTypeNull: {2, 0, 0, 0},
		layers.LinkTypeLinuxSLL: cooked, layers.LinkTypeLinuxSLL2: {8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0},
	} {
		data := append(bytes.Clone(before), packet...)
		for filter, want := range map[string]bool{"tcp dst port 80": true, "src host 10.0.0.1": true, "udp": false, "port 443": false} {
			c := newCapture(nil)
			if err := c.filter(filter, usual); err != nil {
				t.Fatal(err)
			}
			if got := c.passes(seen{link: link, data: data}); got != want {
				t.Errorf("link type %d: %q passes: %t", link, filter, got)
			}
		}
		d := dissect.Do(data, link)
		if n := len(d.Layers); n == 0 || d.Layers[n-1].Name != "TCP" || d.Problem != "" {
			t.Errorf("link type %d: taken apart as %+v, %s", link, d.Layers, d.Problem)
		}
	}
}
