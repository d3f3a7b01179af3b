package dissect_test

import (
	"slices"
	"strings"
	"testing"

	"peerlab/dissect"
)

func names(p dissect.Packet) (all []string) {
	for _, l := range p.Layers {
		all = append(all, l.Name)
	}
	return all
}

func TestLayersAndSummaries(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ layers, last string }{
		"ARP":  {"Ethernet ARP Padding", "who has 192.0.2.2? tell 192.0.2.1"},
		"SYN":  {"Ethernet IPv4 TCP", "49152 → 80, SYN, 0 bytes of payload"},
		"HTTP": {"Ethernet IPv6 TCP HTTP/1", "GET /page?x=1 HTTP/1.1"},
		"H2":   {"Ethernet IPv4 TCP HTTP/2 preface HTTP/2 frame HTTP/2 frame", "WINDOW_UPDATE, stream 3"},
		"DNS":  {"Ethernet IPv4 UDP DNS", "answer: A www.lab.example., no error, 1 records"},
		"STUN": {"Ethernet IPv4 UDP STUN", "binding answer"},
		"TLS":  {"Ethernet IPv4 TCP TLS record", "ClientHello for www.lab.example, h2 or http/1.1"},
		"QUIC": {"Ethernet IPv4 UDP QUIC QUIC Padding", "Handshake, 21 bytes"},
		"ICMP": {"Ethernet IPv4 ICMP Payload", "4 bytes"},
	} {
		p := dissect.Do(frames(t)[name], dissect.Ethernet)
		if got := strings.Join(names(p), " "); got != want.layers || p.Problem != "" {
			t.Errorf("%s: layers %s, problem %q", name, got, p.Problem)
		}
		if !slices.ContainsFunc(p.Layers, func(l dissect.Layer) bool { return l.Summary == want.last }) {
			t.Errorf("%s: no layer says %q", name, want.last)
		}
	}
}

func TestValuesAndWhatTheyMean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ frame, field, value, note string }{
		{"H2", "INITIAL_WINDOW_SIZE", "65536", ""},
		{"H2", "increment", "256", "bytes more"},
		{"QUIC", "length", "20", ""},
		{"STUN", "mapped address", "192.0.2.1:4711", "XOR"},
		{"SYN", "checksum", "", "right"},
		{"DNS", "answer", "www.lab.example.", "shortened"},
		{"TLS", "server name", "www.lab.example", "in plain sight"},
		{"TLS", "supported versions", "TLS 1.3, TLS 1.2", ""},
		{"HTTP", "User-Agent", "a test", ""},
	} {
		found := false
		for _, l := range dissect.Do(frames(t)[c.frame], dissect.Ethernet).Layers {
			found = found || slices.ContainsFunc(l.Fields, func(f dissect.Field) bool {
				return f.Name == c.field && (c.value == "" || f.Value == c.value) && strings.Contains(f.Note, c.note)
			})
		}
		if !found {
			t.Errorf("%s: no field %s with %q %q", c.frame, c.field, c.value, c.note)
		}
	}
}

func TestADamagedPacketSaysSo(t *testing.T) {
	t.Parallel()
	whole := frames(t)["SYN"]
	spoiled := slices.Clone(whole)
	spoiled[len(spoiled)-1]++
	for _, l := range dissect.Do(spoiled, dissect.Ethernet).Layers {
		for _, f := range l.Fields {
			if l.Name == "TCP" && f.Name == "checksum" && !strings.Contains(f.Note, "does not fit") {
				t.Errorf("the checksum of a spoiled segment: %q", f.Note)
			}
		}
	}
	for n := range whole { // cut anywhere
		if p := dissect.Do(whole[:n], dissect.Ethernet); n > 0 && n != 14 && p.Problem == "" { // 14: a frame with nothing in it
			t.Errorf("cut to %d bytes of %d: no problem with %v", n, len(whole), names(p))
		}
	}
}

// FuzzDo wants of any bytes that the fields are within their layer, in order,
// and do not overlap.
func FuzzDo(f *testing.F) {
	for _, data := range frames(f) {
		f.Add(data, byte(1))
		f.Add(data[14:], byte(101))
	}
	f.Add([]byte{0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0}, byte(113))
	f.Fuzz(func(t *testing.T, data []byte, link byte) {
		p := dissect.Do(data, dissect.LinkType(link))
		fields := 0
		for _, l := range p.Layers {
			if l.At < 0 || l.Len < 0 || l.At+l.Len > len(data) {
				t.Fatalf("layer %s at %d+%d of %d bytes", l.Name, l.At, l.Len, len(data))
			}
			end := l.At * 8
			for _, f := range l.Fields {
				if f.Bit < end || f.Bit+f.Bits > (l.At+l.Len)*8 || f.Bits <= 0 {
					t.Fatalf("%s, %s: bits %d+%d, after %d", l.Name, f.Name, f.Bit, f.Bits, end)
				}
				if len(f.Value) > 300 || strings.ContainsAny(f.Value, "\x00\n") {
					t.Fatalf("%s, %s: %q", l.Name, f.Name, f.Value)
				}
				end = f.Bit + f.Bits
			}
			fields += len(l.Fields)
		}
		if len(p.Layers) > 40 || fields > 400 {
			t.Fatalf("%d layers, %d fields", len(p.Layers), fields)
		}
	})
}
