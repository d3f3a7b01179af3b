package guard_test

import (
	"net/netip"
	"testing"

	"peerlab/guard"
)

// registryRows is every row of the IANA special-purpose registries, the
// multicast blocks and some of what lies beside them, by its first and last
// address (or one address).
var registryRows = []struct {
	first, last string
	class       string
	scope       guard.Scope
}{
	// IPv4 Special-Purpose Address Registry
	{"0.0.0.0", "0.0.0.0", "unspecified", guard.ScopeNever},
	{"0.0.0.1", "0.255.255.255", "this-network", guard.ScopeNever},
	{"10.0.0.0", "10.255.255.255", "private", guard.ScopeLAN},
	{"100.64.0.0", "100.127.255.255", "cgnat", guard.ScopeLAN},
	{"127.0.0.0", "127.255.255.255", "loopback", guard.ScopeLoopback},
	{"169.254.0.0", "169.254.255.255", "link-local", guard.ScopeLAN},
	{"172.16.0.0", "172.31.255.255", "private", guard.ScopeLAN},
	{"192.0.0.0", "192.0.0.255", "protocol-assignment", guard.ScopeNever},
	{"192.0.0.0", "192.0.0.7", "protocol-assignment", guard.ScopeNever},
	{"192.0.0.8", "192.0.0.8", "protocol-assignment", guard.ScopeNever},
	{"192.0.0.9", "192.0.0.10", "protocol-assignment", guard.ScopeNever},
	{"192.0.0.170", "192.0.0.171", "protocol-assignment", guard.ScopeNever},
	{"192.0.2.0", "192.0.2.255", "documentation", guard.ScopeNever},
	{"192.31.196.0", "192.31.196.255", "as112", guard.ScopeNever},
	{"192.52.193.0", "192.52.193.255", "amt", guard.ScopeNever},
	{"192.88.99.0", "192.88.99.255", "6to4-relay-anycast", guard.ScopeNever},
	{"192.168.0.0", "192.168.255.255", "private", guard.ScopeLAN},
	{"192.175.48.0", "192.175.48.255", "as112", guard.ScopeNever},
	{"198.18.0.0", "198.19.255.255", "benchmarking", guard.ScopeNever},
	{"198.51.100.0", "198.51.100.255", "documentation", guard.ScopeNever},
	{"203.0.113.0", "203.0.113.255", "documentation", guard.ScopeNever},
	{"224.0.0.0", "239.255.255.255", "multicast", guard.ScopeNever},
	{"240.0.0.0", "255.255.255.254", "reserved", guard.ScopeNever},
	{"255.255.255.255", "255.255.255.255", "broadcast", guard.ScopeNever},

	// what lies right beside them is public
	{"1.0.0.0", "9.255.255.255", "public", guard.ScopePublic},
	{"11.0.0.0", "100.63.255.255", "public", guard.ScopePublic},
	{"100.128.0.0", "126.255.255.255", "public", guard.ScopePublic},
	{"128.0.0.0", "169.253.255.255", "public", guard.ScopePublic},
	{"169.255.0.0", "172.15.255.255", "public", guard.ScopePublic},
	{"172.32.0.0", "191.255.255.255", "public", guard.ScopePublic},
	{"192.0.1.0", "192.0.1.255", "public", guard.ScopePublic},
	{"192.0.3.0", "192.31.195.255", "public", guard.ScopePublic},
	{"192.31.197.0", "192.52.192.255", "public", guard.ScopePublic},
	{"192.88.98.255", "192.88.100.0", "public", guard.ScopePublic},
	{"192.169.0.0", "192.175.47.255", "public", guard.ScopePublic},
	{"192.175.49.0", "198.17.255.255", "public", guard.ScopePublic},
	{"198.20.0.0", "198.51.99.255", "public", guard.ScopePublic},
	{"198.51.101.0", "203.0.112.255", "public", guard.ScopePublic},
	{"203.0.114.0", "223.255.255.255", "public", guard.ScopePublic},

	// IPv6 Special-Purpose Address Registry
	{"::", "::", "unspecified", guard.ScopeNever},
	{"::1", "::1", "loopback", guard.ScopeLoopback},
	{"::0.0.0.2", "::255.255.255.255", "ipv4-translated", guard.ScopeNever},
	{"::ffff:8.8.8.8", "::ffff:8.8.8.8", "public", guard.ScopePublic},
	{"::ffff:127.0.0.1", "::ffff:127.0.0.1", "loopback", guard.ScopeLoopback},
	{"::ffff:0:0.0.0.0", "::ffff:0:255.255.255.255", "ipv4-translated", guard.ScopeNever},
	{"64:ff9b::", "64:ff9b::255.255.255.255", "nat64", guard.ScopePublic},
	{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local-nat64", guard.ScopeNever},
	{"100::", "100::ffff:ffff:ffff:ffff", "discard", guard.ScopeNever},
	{"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "discard", guard.ScopeNever},
	{"2001::", "2001::ffff:ffff:ffff:ffff:ffff:ffff", "teredo", guard.ScopePublic},
	{"2001:1::1", "2001:1::3", "protocol-assignment", guard.ScopeNever},
	{"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking", guard.ScopeNever},
	{"2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", "amt", guard.ScopeNever},
	{"2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", "as112", guard.ScopeNever},
	{"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "orchid", guard.ScopeNever},
	{"2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "orchid", guard.ScopeNever},
	{"2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "orchid", guard.ScopeNever},
	{"2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol-assignment", guard.ScopeNever},
	{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", guard.ScopeNever},
	{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4", guard.ScopePublic},
	{"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "as112", guard.ScopeNever},
	{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", guard.ScopeNever},
	{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "srv6", guard.ScopeNever},
	{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique-local", guard.ScopeLAN},
	{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local", guard.ScopeLAN},
	{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local", guard.ScopeNever},
	{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast", guard.ScopeNever},
	{"fe80::1%eth0", "fe80::1%eth0", "link-local", guard.ScopeLAN},

	// global unicast, and what IANA has not given out
	{"2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "public", guard.ScopePublic},
	{"2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "public", guard.ScopePublic},
	{"2620:4f:8001::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public", guard.ScopePublic},
	{"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public", guard.ScopePublic},
	{"64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", guard.ScopeNever},
	{"100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", guard.ScopeNever},
	{"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", guard.ScopeNever},
	{"5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", guard.ScopeNever},
	{"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", guard.ScopeNever},
}

func TestClassify(t *testing.T) {
	for _, row := range registryRows {
		for _, text := range []string{row.first, row.last} {
			got := guard.Classify(netip.MustParseAddr(text))
			if got.String() != row.class || got.Scope() != row.scope {
				t.Errorf("Classify(%s) = %s, scope %d; want %s, scope %d", text, got, got.Scope(), row.class, row.scope)
			}
		}
	}
	if got := guard.Classify(netip.Addr{}); got != guard.ClassInvalid {
		t.Errorf("Classify of the zero address = %s, want invalid", got)
	}
}

func BenchmarkAllow(b *testing.B) {
	peer := netip.MustParseAddr("192.169.1.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := guard.Public.Allow(peer); !ok {
			b.Fatal("refused")
		}
	}
}
