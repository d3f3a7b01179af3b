package netsim

import (
	"encoding/binary"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
)

// FuzzTranslate gives a NAT any bytes from both sides. It must take them, and
// what it sends on must be as long as before and have the right IP checksum if
// it had.
func FuzzTranslate(f *testing.F) {
	ip := func(proto byte, src, dst [4]byte, rest ...byte) []byte {
		b := []byte{0x45, 0, 0, byte(20 + len(rest)), 0, 0, 0, 0, 64, proto, 0, 0}
		b = append(append(b, src[:]...), dst[:]...)
		return append(b, rest...)
	}
	in, out, nat := [4]byte{192, 168, 1, 2}, [4]byte{10, 77, 0, 1}, [4]byte{10, 77, 0, 2}
	udp := []byte{0x13, 0x88, 0, 53, 0, 8, 0xff, 0xff}
	back := []byte{0, 53, 0x13, 0x88, 0, 8, 0, 0}
	f.Add(ip(protoUDP, in, out, udp...), ip(protoUDP, out, nat, back...))
	f.Add(ip(protoTCP, in, out, append(udp, make([]byte, 12)...)...), []byte{})
	f.Add(ip(protoICMP, in, out, 8, 0, 0, 0, 0, 7, 0, 1), ip(protoICMP, out, nat, 0, 0, 0, 0, 0, 7, 0, 1))
	f.Add(ip(protoUDP, in, out, udp...), ip(protoICMP, out, nat, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, ip(protoUDP, nat, out, udp...)...)...))
	f.Add([]byte{0x45}, ip(47, out, nat))
	f.Fuzz(func(t *testing.T, outbound, inbound []byte) {
		n, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if _, err := n.Host("out"); err != nil {
			t.Fatal(err)
		}
		router, err := n.NAT("nat", NATConfig{Filtering: AddressDependent})
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []struct {
			b    []byte
			pass func(packet) string
			end  end
		}{
			{outbound, router.translateOut, source},
			{inbound, func(p packet) string { _, why := router.translateIn(p); return why }, destination},
		} {
			b := append([]byte(nil), way.b...)
			p, ok := open(b)
			if ok {
				before := residue(p)
				n.mu.Lock()
				why := way.pass(p)
				n.mu.Unlock()
				if after := residue(p); before == 0xffff && after != 0xffff {
					t.Errorf("the checksum of the header is wrong afterwards: %#x", after)
				}
				if m := router.table.byKey; why == "" && p.first && p.proto != protoICMP && len(m) == 0 {
					t.Error("translated without a mapping")
				}
			}
			if way.b != nil {
				side := router.inner
				if way.end == destination {
					side = router.outer
				}
				side.receive(buffer.NewViewWithData(way.b))
			}
		}
	})
}

// residue is the sum over a header with its checksum: 0xffff if that is right.
func residue(p packet) uint16 {
	var sum uint32
	for i := 0; i < p.header; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p.b[i:]))
	}
	return fold16(sum)
}
