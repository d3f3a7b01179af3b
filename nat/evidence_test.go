package nat

import (
	"net/netip"
	"strings"
	"testing"
)

// What follows from what was heard, where networks would be hard to make so.
func TestWhatFollowsFromTheEvidence(t *testing.T) {
	at := netip.MustParseAddrPort
	seen := func(asked, mapped string) Test {
		return Test{Name: "mapping", Asked: at(asked), From: at(asked), Mapped: at(mapped)}
	}
	silent := Test{Name: "filtering", Error: errSilence.Error(), silent: true}
	refused := Test{Name: "filtering", Error: "refused: STUN error 420"}
	heard := Test{Name: "filtering", From: at("192.0.2.1:3479"), Mapped: at("198.51.100.1:4000")}
	const server, port, address, corner = "192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478", "192.0.2.2:3479"
	const here, there, elsewhere = "198.51.100.1:4000", "198.51.100.1:4001", "198.51.100.2:4000"
	for name, c := range map[string]struct {
		other              string
		seen               []Test
		changes            changes
		mapping, filtering Dependence
		untold             string
	}{
		"a port that is dead": {port, []Test{seen(server, here)}, changes{port: silent}, "", "", "silence tells nothing"},
		"a port that refuses": {port, []Test{seen(server, here), seen(port, here)}, changes{port: refused}, NotPortDependent, "", "would not answer from its other port"},
		"an address that is dead": {corner, []Test{seen(server, here), seen(port, here), seen(address, here)}, changes{port: heard, address: silent},
			EndpointIndependent, NotPortDependent, "no other one that answers"},
		"an address that refuses": {corner, []Test{seen(server, here), seen(port, here), seen(corner, here)}, changes{port: silent, address: refused},
			EndpointIndependent, AddressAndPortDependent, ""},
		"no socket for the filter": {port, []Test{seen(server, here), seen(port, there)}, changes{}, AddressAndPortDependent, "", "on the socket for it"},
		"another outside address":  {corner, []Test{seen(server, here), seen(port, here), seen(corner, elsewhere)}, changes{port: silent, address: silent}, AddressDependent, AddressAndPortDependent, ""},
		"by port, though not by address": {corner, []Test{seen(server, here), seen(port, there), seen(address, here)}, changes{port: silent, address: silent},
			AddressAndPortDependent, AddressAndPortDependent, ""},
		"the same server twice": {"", []Test{seen(server, here), seen(server, here)}, changes{}, "", "", "it takes two"},
	} {
		e := evidence{server: at(server), seen: c.seen, changes: c.changes, hairpin: hairpin{tried: true}, port: 5000}
		if c.other != "" {
			e.other = at(c.other)
		}
		b, untold := e.judge()
		if b.Mapping != c.mapping || b.Filtering != c.filtering || !b.Translated || *b.Preserves {
			t.Errorf("%s: %+v, %q", name, b, untold)
		}
		if !strings.Contains(strings.Join(untold, " "), c.untold) {
			t.Errorf("%s: can't tell %q, want %q", name, untold, c.untold)
		}
	}
}

func TestSeveralServersAreSymmetricEnoughForTheRule(t *testing.T) {
	b := Behavior{Translated: true, Mapping: DestinationDependent, Filtering: AddressAndPortDependent}
	strict := Behavior{Translated: true, Mapping: EndpointIndependent, Filtering: AddressAndPortDependent}
	if p := Predict(b, strict, false); p.Outcome != Fails {
		t.Errorf("with a port-restricted cone: %+v", p)
	}
	if p := Predict(b, Behavior{Translated: true, Mapping: EndpointIndependent, Filtering: EndpointIndependent}, false); p.Outcome != Connects {
		t.Errorf("with a full cone: %+v", p)
	}
	if b.Kind() != "symmetric" {
		t.Errorf("it is called %q", b.Kind())
	}
}
