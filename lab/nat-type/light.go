package nattype

import (
	"fmt"
	"strings"

	"peerlab/lab"
	"peerlab/nat"
)

// kind is one of those that others may be behind.
type kind struct {
	name     string
	behavior nat.Behavior
}

func kinds() []kind {
	of := func(mapping, filtering nat.Dependence) nat.Behavior {
		return nat.Behavior{Translated: true, Mapping: mapping, Filtering: filtering}
	}
	return []kind{
		{"no NAT", nat.Behavior{Mapping: nat.EndpointIndependent, Filtering: nat.EndpointIndependent}},
		{"full cone", of(nat.EndpointIndependent, nat.EndpointIndependent)},
		{"address-restricted cone", of(nat.EndpointIndependent, nat.AddressDependent)},
		{"port-restricted cone", of(nat.EndpointIndependent, nat.AddressAndPortDependent)},
		{"symmetric", of(nat.AddressAndPortDependent, nat.AddressAndPortDependent)},
	}
}

// region light

// light is what a behaviour means for direct connections, at a glance and in
// words. Each word follows from the rule by which two behaviours meet.
func light(b nat.Behavior) (lab.Tone, string) {
	switch {
	case b.Blocked:
		return lab.Bad, "UDP does not get through, so nothing connects directly: it takes a relay, over TCP."
	case !b.Known():
		return lab.Warn, "Too little is known to say with whom it connects directly."
	}
	by := map[nat.Outcome][]string{}
	for _, other := range kinds() {
		o := nat.Predict(b, other.behavior, false).Outcome
		by[o] = append(by[o], other.name)
	}
	var says []string
	for _, o := range []struct {
		outcome nat.Outcome
		before  string
	}{
		{nat.Connects, "Connects directly with: "},
		{nat.Fails, "By a relay only with: "},
		{nat.Depends, "It depends on what could not be told with: "},
	} {
		if names := by[o.outcome]; len(names) > 0 {
			says = append(says, fmt.Sprintf("%s%s.", o.before, strings.Join(names, ", ")))
		}
	}
	tone := lab.Warn
	if b.Mapping == nat.EndpointIndependent || b.Mapping == nat.NotPortDependent {
		tone = lab.Good // others find the host where STUN said
	}
	return tone, strings.Join(says, " ")
}

// endregion
