package guard_test

import (
	"errors"
	"net/netip"
	"testing"

	"peerlab/guard"
)

func TestPolicyByScope(t *testing.T) {
	for _, row := range registryRows {
		a := netip.MustParseAddr(row.first)
		if len(guard.Embedded(a)) > 0 {
			continue // what is inside decides; see below
		}
		if got, want := allows(guard.Public, a), row.scope == guard.ScopePublic; got != want {
			t.Errorf("public allows %s: %v, want %v", a, got, want)
		}
		if got, want := allows(guard.LAN, a), row.scope == guard.ScopePublic || row.scope == guard.ScopeLAN; got != want {
			t.Errorf("lan allows %s: %v, want %v", a, got, want)
		}
	}
}

func TestPolicyAllow(t *testing.T) {
	for _, c := range []struct {
		policy guard.Policy
		addr   string
		reason guard.Reason // empty: allowed
	}{
		{guard.Public, "8.8.8.8", ""},
		{guard.Public, "2a00:1450::1", ""},
		{guard.Public, "192.168.1.1", "private"},
		{guard.Public, "64:ff9b::8.8.8.8", ""},
		{guard.Public, "64:ff9b::7f00:1", "loopback"},
		{guard.Public, "::ffff:10.0.0.1", "private"},
		{guard.Public, "2002:7f00:1::", "loopback"},
		{guard.Public, "2002:808:808::1", ""},
		{guard.Public, "2001:0:808:808:0:0:f5ff:fffe", "private"}, // client 10.0.0.1
		{guard.Public, "2001:0:808:808:0:0:f7f7:f7f7", ""},        // client 8.8.8.8
		{guard.Public, "2a00::5efe:10.0.0.1", "private"},
		{guard.Public, "::8.8.8.8", "ipv4-translated"},
		{guard.Auto, "10.0.0.1", "private"},
		{guard.Auto, "8.8.8.8", ""},
		{guard.LAN, "10.0.0.1", ""},
		{guard.LAN, "100.64.0.1", ""},
		{guard.LAN, "fe80::1%eth0", ""},
		{guard.LAN, "64:ff9b::10.0.0.1", ""},
		{guard.LAN, "127.0.0.1", "loopback"},
		{guard.LAN, "224.0.0.251", "multicast"},
		{guard.LAN, "fe80::5efe:127.0.0.1", "loopback"},
		{guard.Any, "127.0.0.1", ""},
		{guard.Any, "240.0.0.1", ""},
		{guard.Any, "192.0.2.1", ""},
		{guard.Any, "64:ff9b:1::8.8.8.8", ""},
		{guard.Any, "224.0.0.1", "multicast"},
		{guard.Any, "0.0.0.0", "unspecified"},
		{guard.Any, "255.255.255.255", "broadcast"},
		{guard.Any, "64:ff9b::255.255.255.255", "broadcast"},
		{guard.Any, "ff02::1", "multicast"},
	} {
		reason, ok := c.policy.Allow(netip.MustParseAddr(c.addr))
		if reason != c.reason || ok != (c.reason == "") {
			t.Errorf("%s.Allow(%s) = %q, %v; want %q", c.policy, c.addr, reason, ok, c.reason)
		}
	}
}

func TestPolicyText(t *testing.T) {
	for _, text := range []string{"auto", "public", "lan", "any"} {
		var p guard.Policy
		if err := p.UnmarshalText([]byte(text)); err != nil || p.String() != text {
			t.Errorf("%q reads as %s, %v", text, p, err)
		}
		if back, err := p.MarshalText(); err != nil || string(back) != text {
			t.Errorf("%q is written as %q, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "LAN", "all"} {
		if _, err := guard.ParsePolicy(text); !errors.Is(err, guard.ErrPolicy) {
			t.Errorf("ParsePolicy(%q): %v, want ErrPolicy", text, err)
		}
	}
}

func TestPolicyResolve(t *testing.T) {
	for _, c := range []struct {
		policy guard.Policy
		relay  string
		want   guard.Policy
	}{
		{guard.Auto, "8.8.8.8", guard.Public},
		{guard.Auto, "2a00:1450::1", guard.Public},
		{guard.Auto, "192.168.1.2", guard.LAN},
		{guard.Auto, "100.64.1.2", guard.LAN},
		{guard.Auto, "169.254.1.2", guard.LAN},
		{guard.Auto, "127.0.0.1", guard.LAN},
		{guard.Auto, "192.0.2.2", guard.LAN},
		{guard.Public, "192.168.1.2", guard.Public},
		{guard.Any, "8.8.8.8", guard.Any},
	} {
		if got := c.policy.Resolve(netip.MustParseAddr(c.relay)); got != c.want {
			t.Errorf("%s.Resolve(%s) = %s, want %s", c.policy, c.relay, got, c.want)
		}
	}
}
