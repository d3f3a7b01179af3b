package nat_test

import (
	"slices"
	"strings"
	"testing"

	"peerlab/nat"
)

// The kinds of the well-known table.
var (
	open           = nat.Behavior{Mapping: nat.EndpointIndependent, Filtering: nat.EndpointIndependent}
	fullCone       = nat.Behavior{Translated: true, Mapping: nat.EndpointIndependent, Filtering: nat.EndpointIndependent}
	addressCone    = nat.Behavior{Translated: true, Mapping: nat.EndpointIndependent, Filtering: nat.AddressDependent}
	portCone       = nat.Behavior{Translated: true, Mapping: nat.EndpointIndependent, Filtering: nat.AddressAndPortDependent}
	symmetric      = nat.Behavior{Translated: true, Mapping: nat.AddressAndPortDependent, Filtering: nat.AddressAndPortDependent}
	udpBlocked     = nat.Behavior{Blocked: true}
	unknown        = nat.Behavior{}
	wellKnownKinds = []nat.Behavior{open, fullCone, addressCone, portCone, symmetric, udpBlocked}
)

func TestPredictIsTheWellKnownTable(t *testing.T) {
	t.Parallel()
	for _, a := range wellKnownKinds {
		for _, b := range wellKnownKinds {
			stunOnly, withTURN := nat.Connects, nat.Connects
			kinds := []string{a.Kind(), b.Kind()}
			slices.Sort(kinds)
			switch pair := strings.Join(kinds, " × "); {
			case a.Blocked || b.Blocked, pair == "port-restricted cone × symmetric", pair == "symmetric × symmetric":
				stunOnly, withTURN = nat.Fails, nat.Relayed
			}
			if p := nat.Predict(a, b, false); p.Outcome != stunOnly {
				t.Errorf("%v with STUN: %s, want %s; %s", kinds, p.Outcome, stunOnly, p.Rule)
			}
			if p := nat.Predict(a, b, true); p.Outcome != withTURN {
				t.Errorf("%v with TURN: %s, want %s; %s", kinds, p.Outcome, withTURN, p.Rule)
			}
		}
	}
}

func TestPredictSaysUnknownOnlyWhereItMatters(t *testing.T) {
	t.Parallel()
	cone := nat.Behavior{Translated: true, Mapping: nat.EndpointIndependent}
	onePort := nat.Behavior{Translated: true, Mapping: nat.NotPortDependent, Filtering: nat.AddressAndPortDependent}
	loose := nat.Behavior{Translated: true, Mapping: nat.EndpointIndependent, Filtering: nat.NotPortDependent}
	for _, c := range []struct {
		name string
		a, b nat.Behavior
		turn bool
		want nat.Outcome
	}{
		{"cones need no filter known", cone, portCone, false, nat.Connects},
		{"a symmetric one needs it", cone, symmetric, false, nat.Depends},
		{"so with a relay", cone, symmetric, true, nat.Depends},
		{"one that is loose enough", loose, symmetric, false, nat.Connects},
		{"two ports of one address", onePort, portCone, false, nat.Depends},
		{"are enough for an open side", onePort, fullCone, false, nat.Connects},
		{"and for a symmetric one", onePort, symmetric, false, nat.Fails},
		{"nothing known", unknown, open, false, nat.Depends},
		{"nothing known, nothing passes", unknown, udpBlocked, false, nat.Fails},
	} {
		for _, p := range []nat.Prediction{nat.Predict(c.a, c.b, c.turn), nat.Predict(c.b, c.a, c.turn)} {
			if p.Outcome != c.want {
				t.Errorf("%s: %s, want %s; %s", c.name, p.Outcome, c.want, p.Rule)
			}
		}
	}
}

func TestPredictNamesMappingAndFilteringOfBothSides(t *testing.T) {
	t.Parallel()
	for _, a := range wellKnownKinds {
		for _, b := range wellKnownKinds {
			rule := nat.Predict(a, b, true).Rule
			words := []string{"mapping", "filtering"}
			if !a.Blocked && !b.Blocked {
				words = []string{"filters " + string(a.Filtering), "filters " + string(b.Filtering)}
				for _, side := range []nat.Behavior{a, b} {
					if side.Translated {
						words = append(words, "maps "+string(side.Mapping))
					}
				}
			}
			for _, w := range words {
				if !strings.Contains(rule, w) {
					t.Errorf("%s × %s: %q does not say %q", a.Kind(), b.Kind(), rule, w)
				}
			}
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]nat.Behavior{
		"no NAT":                          open,
		"no NAT, firewall":                {Mapping: nat.EndpointIndependent, Filtering: nat.AddressAndPortDependent},
		"no NAT, filtering unknown":       {Mapping: nat.EndpointIndependent},
		"full cone":                       fullCone,
		"address-restricted cone":         addressCone,
		"port-restricted cone":            portCone,
		"cone, filtering unknown":         {Translated: true, Mapping: nat.EndpointIndependent},
		"full or address-restricted cone": {Translated: true, Mapping: nat.EndpointIndependent, Filtering: nat.NotPortDependent},
		"symmetric":                       symmetric,
		"symmetric, open":                 {Translated: true, Mapping: nat.AddressAndPortDependent, Filtering: nat.EndpointIndependent},
		"symmetric by address, open":      {Translated: true, Mapping: nat.AddressDependent, Filtering: nat.EndpointIndependent},
		"cone or symmetric by address, port-restricted": {Translated: true, Mapping: nat.NotPortDependent, Filtering: nat.AddressAndPortDependent},
		"UDP blocked": udpBlocked,
		"unknown":     unknown,
	} {
		if got := b.Kind(); got != want {
			t.Errorf("%+v is %q, want %q", b, got, want)
		}
	}
}
