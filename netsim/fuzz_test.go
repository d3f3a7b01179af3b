package netsim

import (
	"testing"
	"time"
)

// FuzzDescribe shows the tap's side any bytes: parsing, naming and decoding
// must take them, twice and in both directions, and come to the same kind.
func FuzzDescribe(f *testing.F) {
	ip := func(proto byte, rest ...byte) []byte {
		b := []byte{0x45, 0, 0, byte(20 + len(rest)), 0, 0, 0, 0, 64, proto, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2}
		return append(b, rest...)
	}
	tcp := func(flags byte, options ...byte) []byte {
		b := []byte{0, 80, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 1, byte(5+len(options)/4) << 4, flags, 1, 0, 0, 0, 0, 0}
		return append(b, options...)
	}
	f.Add([]byte{})
	f.Add(ip(protoTCP, tcp(flagSYN, 2, 4, 5, 180, 4, 2, 3, 3, 7, 1, 0, 0)...))
	f.Add(ip(protoTCP, append(tcp(flagACK|flagPSH, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 1, 1), "GET / HTTP/1.1\r\n"...)...))
	f.Add(ip(protoTCP, tcp(flagACK, 5, 200, 5, 1)...)) // an option longer than the header
	f.Add(ip(protoUDP, 0, 53, 0, 53, 0, 20, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
	f.Add(ip(protoICMP, 3, 3, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var all flows
		for range 2 {
			s := parse(b)
			fl, dir := all.of(&s, "a", "b")
			loss, jitter := fl.draws[dir].next(1, s.kind())
			if loss < 0 || loss >= 1 || jitter < 0 || jitter >= 1 {
				t.Fatalf("draws %v and %v", loss, jitter)
			}
			p := Packet{Data: b, Kind: s.kind(), Src: s.src, Dst: s.dst, Flow: fl.number}
			describe(&p, &s, fl.observe(dir, &s, time.Second, fate{}))
			if p.Summary == "" || p.Layer == "" || s.length < 0 || s.length > len(b) {
				t.Fatalf("packet %+v, %d bytes of payload", p, s.length)
			}
			back := s
			back.src, back.dst = s.dst, s.src
			other, way := all.of(&back, "b", "a")
			if other != fl || way == dir && s.src != s.dst {
				t.Fatal("the way back is another flow, or the same direction")
			}
			fl.observe(way, &back, 2*time.Second, fate{overtakes: true})
		}
	})
}
