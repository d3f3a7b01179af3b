package netsim

import (
	"fmt"
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
			describe(&p, &s, fl.observe(dir, &s, time.Second, fate{}), fl, dir, nil)
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

// FuzzPayload shows the decoders of UDP payloads any bytes, on a flow where a
// relay was seen and with keys that fit the handshake of the seeds.
func FuzzPayload(f *testing.F) {
	record := func(kind byte, epoch byte, body ...byte) []byte {
		return append([]byte{kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, byte(len(body))}, body...)
	}
	hello := func(kind byte) []byte {
		body := append(make([]byte, 35), 0xc0, 0x2b) // no session, AES-128-GCM
		body[0], body[1] = 0xfe, 0xfd
		return record(dtlsHandshake, 0, append([]byte{kind, 0, 0, byte(len(body)), 0, 0, 0, 0, 0, 0, 0, byte(len(body))}, body...)...)
	}
	stun := func(kind byte, attributes ...byte) []byte {
		b := []byte{0, kind, 0, byte(len(attributes)), 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		return append(b, attributes...)
	}
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0xc0, 0, 0, 0, 1, 2, 7, 7, 1, 9, 0, 3, 1, 2, 3, 0xe0, 0, 0, 0, 1, 0, 0, 1, 5}, []byte{0x41, 1, 2})
	f.Add(stun(1, 0, 0x25, 0, 0, 0, 6, 0, 1, 'x', 0, 0, 0), stun(3, 0, 0x12, 0, 0, 0, 0x16, 0, 8, 0, 1, 1, 2, 3, 4, 5, 6))
	f.Add([]byte{0x40, 0, 0, 2, 1, 2}, stun(0x16, 0, 0x13, 0, 4, 0x40, 0, 0, 0))
	f.Add(append(hello(clientHello), hello(serverHello)...), record(dtlsApplication, 1, make([]byte, 30)...))
	f.Add(record(dtlsApplication, 0, 19, 136, 19, 136, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 50, 2), record(dtlsAlert, 0, 1, 0))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		keys := &Keys{}
		fmt.Fprintf(keys, "CLIENT_RANDOM %064x %096x\n", 0, 1)
		said := &dialogue{turn: true}
		for i, b := range [][]byte{first, second, first, second} {
			p := Packet{Summary: "as before", Attrs: map[string]string{}}
			if known := (reading{Packet: &p, said: said, dir: i % 2, keys: keys}).describePayload(b); known != (p.Layer != "") || !known && len(p.Attrs) > 0 || p.Summary == "" {
				t.Fatalf("known %v, packet %+v", known, p)
			}
		}
	})
}
