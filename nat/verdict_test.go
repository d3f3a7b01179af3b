package nat

import (
	"net/netip"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name        string
		local       string
		upnp, stun  string
		want        VerdictKind
		wantMention string
	}{
		{"public host", "25.0.0.4", "", "25.0.0.4", Direct, "25.0.0.4 itself"},
		{"public host beside a LAN with a router", "192.168.1.2 25.0.0.4", "25.0.0.9", "25.0.0.4", Direct, "25.0.0.4 itself"},
		{"home", "192.168.1.2", "198.51.100.7", "198.51.100.7", SingleNAT, "a port mapped on it makes you reachable"},
		{"provider's box before the router", "192.168.1.2", "10.0.0.5", "198.51.100.7", DoubleNAT, "10.0.0.5, a private one, but the internet sees 198.51.100.7"},
		{"provider's box, no internet", "192.168.1.2", "10.0.0.5", "", DoubleNAT, "10.0.0.5, a private one: there's"},
		{"carrier", "192.168.1.2", "100.64.3.2", "198.51.100.7", CGNAT,
			"UPnP says the router's outside address is 100.64.3.2, but the internet sees 198.51.100.7: there's a second NAT (carrier-grade) beyond your router, so mapping a port on it does not make you reachable."},
		{"carrier, no STUN", "192.168.1.2", "100.64.3.2", "", CGNAT, "100.64.3.2: there's"},
		{"first and last of the shared space", "192.168.1.2", "100.127.255.255", "198.51.100.7", CGNAT, "carrier-grade"},
		{"just beyond the shared space", "192.168.1.2", "100.128.0.0", "100.128.0.0", SingleNAT, "100.128.0.0"},
		{"DS-Lite", "192.168.1.2", "192.0.0.2", "198.51.100.7", CGNAT, "192.0.0.2"},
		{"two public addresses", "192.168.1.2", "25.0.0.1", "198.51.100.7", DoubleNAT, "VPN"},
		{"router says public, no STUN", "192.168.1.2", "25.0.0.1", "", Unknown, "to confirm it"},
		{"router says public, STUN server inside", "192.168.1.2", "25.0.0.1", "192.168.1.2", Unknown, "to confirm it"},
		{"router says none", "192.168.1.2", "none", "198.51.100.7", Unknown, "does not say what its outside address is. Many"},
		{"router says none, no STUN", "192.168.1.2", "none", "", Unknown, "does not say what its outside address is and no STUN"},
		{"no UPnP", "192.168.1.2", "", "198.51.100.7", Unknown, "at least one NAT"},
		{"mobile line", "100.70.1.2", "", "198.51.100.7", CGNAT, "100.70.1.2"},
		{"a VPN of shared space beside a LAN", "100.70.1.2 192.168.1.2", "", "198.51.100.7", Unknown, "at least one NAT"},
		{"STUN server inside", "192.168.1.2", "", "192.168.1.2", Unknown, "inside the same network"},
		{"silence", "192.168.1.2", "", "", Unknown, "Neither"},
		{"no network", "", "", "", Unknown, "no network address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := Evidence{Router: test.upnp != "", UPnP: parseExternal(test.upnp), STUN: parseExternal(test.stun)}
			for _, a := range strings.Fields(test.local) {
				e.Local = append(e.Local, netip.MustParseAddr(a))
			}
			got := Judge(e)
			if got.Kind != test.want || !strings.Contains(got.Sentence, test.wantMention) {
				t.Errorf("got %s: %s\nwant %s, with %q", got.Kind, got.Sentence, test.want, test.wantMention)
			}
			if !strings.HasSuffix(got.Sentence, ".") || strings.Contains(got.Sentence, "invalid") {
				t.Errorf("not a sentence: %q", got.Sentence)
			}
		})
	}
}

func TestParseExternal(t *testing.T) {
	for text, want := range map[string]string{
		"25.0.0.1": "25.0.0.1", " 25.0.0.1\n": "25.0.0.1", "::ffff:25.0.0.1": "25.0.0.1", "10.1.2.3": "10.1.2.3",
		"": "", "0.0.0.0": "", "255.255.255.255": "", "127.0.0.1": "", "239.1.1.1": "", "::1": "", "2001:db8::1": "", "fe80::1%eth0": "", "router": "",
	} {
		got := parseExternal(text)
		if (want == "") == got.IsValid() || (want != "" && got.String() != want) {
			t.Errorf("parseExternal(%q) = %v, want %q", text, got, want)
		}
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"Fritz!Box": "Fritz!Box", "a\x00\x1b[31mb\n\tc": "a[31mb c", "\xff\xfe": "", strings.Repeat("é", 100): strings.Repeat("é", maxText) + "…",
	} {
		if got := cleanText(in); got != want {
			t.Errorf("cleanText(%q) = %q, want %q", in, got, want)
		}
	}
}
