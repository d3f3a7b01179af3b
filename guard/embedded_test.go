package guard_test

import (
	"net/netip"
	"slices"
	"testing"

	"peerlab/guard"
)

// embeddings are all the ways to hide an IPv4 address, each with a public-looking
// rest, so that a refusal can come from the hidden address only.
var embeddings = map[string]func(v4 [4]byte) [16]byte{
	"mapped":          func(v [4]byte) [16]byte { return tail(v, 10, 0xff, 0xff) },
	"compatible":      func(v [4]byte) [16]byte { return tail(v, 0) },
	"siit":            func(v [4]byte) [16]byte { return tail(v, 8, 0xff, 0xff) },
	"nat64":           func(v [4]byte) [16]byte { return tail(v, 0, 0, 0x64, 0xff, 0x9b) },
	"local-nat64/96":  func(v [4]byte) [16]byte { return tail(v, 0, 0, 0x64, 0xff, 0x9b, 0, 1) },
	"isatap":          func(v [4]byte) [16]byte { return tail(v, 0, 0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5e, 0xfe) },
	"isatap-global":   func(v [4]byte) [16]byte { return tail(v, 0, 0x2a, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x5e, 0xfe) },
	"6to4":            func(v [4]byte) [16]byte { return [16]byte{0x20, 0x02, v[0], v[1], v[2], v[3], 15: 1} },
	"teredo-server":   func(v [4]byte) [16]byte { return teredo(v, [4]byte{8, 8, 8, 8}) },
	"teredo-client":   func(v [4]byte) [16]byte { return teredo([4]byte{8, 8, 8, 8}, v) },
	"local-nat64/48":  func(v [4]byte) [16]byte { return local(6, v[0], v[1], 0, v[2], v[3]) },
	"local-nat64/56":  func(v [4]byte) [16]byte { return local(7, v[0], 0, v[1], v[2], v[3]) },
	"local-nat64/64":  func(v [4]byte) [16]byte { return local(8, 0, v[0], v[1], v[2], v[3]) },
	"6to4-and-isatap": func(v [4]byte) [16]byte { return tail(v, 0, 0x20, 2, 8, 8, 8, 8, 0, 0, 0, 0, 0x5e, 0xfe) },
}

func tail(v [4]byte, at int, octets ...byte) (b [16]byte) {
	copy(b[at:], octets)
	copy(b[12:], v[:])
	return b
}

func teredo(server, client [4]byte) (b [16]byte) {
	copy(b[:], []byte{0x20, 0x01, 0, 0})
	copy(b[4:], server[:])
	for i, o := range client {
		b[12+i] = ^o
	}
	return b
}

func local(at int, octets ...byte) (b [16]byte) {
	copy(b[:], []byte{0, 0x64, 0xff, 0x9b, 0, 1})
	copy(b[at:], octets)
	return b
}

func TestEmbeddedFindsTheAddress(t *testing.T) {
	for form, embed := range embeddings {
		for _, text := range []string{"127.0.0.1", "10.1.2.3", "198.51.99.200", "8.8.4.4"} {
			v4 := netip.MustParseAddr(text)
			a := netip.AddrFrom16(embed(v4.As4()))
			if got := guard.Embedded(a); !slices.Contains(got, v4) {
				t.Errorf("%s: Embedded(%s) = %v, want %s in it", form, a, got, v4)
			}
		}
	}
	for _, text := range []string{"8.8.8.8", "2a00:1450::1", "::1", "fe80::1", "ff02::1"} {
		if got := guard.Embedded(netip.MustParseAddr(text)); len(got) != 0 {
			t.Errorf("Embedded(%s) = %v, want none", text, got)
		}
	}
	if got := guard.Embedded(netip.Addr{}); got != nil {
		t.Errorf("Embedded of the zero address = %v", got)
	}
}

func FuzzEmbeddedIsNoWayAround(f *testing.F) {
	for _, text := range []string{"127.0.0.1", "10.0.0.1", "0.0.0.0", "169.254.169.254", "8.8.8.8", "255.255.255.255", "0.127.0.0"} {
		v4 := netip.MustParseAddr(text).As4()
		raw := tail(v4, 0, 0, 0x64, 0xff, 0x9b)
		f.Add(v4[:], raw[:])
	}
	f.Fuzz(func(t *testing.T, v4, raw []byte) {
		if a, ok := netip.AddrFromSlice(raw); ok {
			guard.Classify(a)
			guard.Embedded(a)
			for p := guard.Auto; p <= guard.Any; p++ {
				reason, allowed := p.Allow(a)
				if allowed != (reason == "") {
					t.Fatalf("%s.Allow(%s) = %q, %v", p, a, reason, allowed)
				}
			}
		}
		if len(v4) != 4 {
			return
		}
		inner := netip.AddrFrom4([4]byte(v4))
		for _, policy := range []guard.Policy{guard.Public, guard.LAN} {
			if _, ok := policy.Allow(inner); ok {
				continue
			}
			for form, embed := range embeddings {
				if a := netip.AddrFrom16(embed([4]byte(v4))); allows(policy, a) {
					t.Fatalf("%s refuses %s but allows it as %s: %s", policy, inner, form, a)
				}
			}
		}
	})
}

func allows(p guard.Policy, a netip.Addr) bool {
	_, ok := p.Allow(a)
	return ok
}
