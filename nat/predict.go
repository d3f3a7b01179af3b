package nat

import "fmt"

// Outcome is what becomes of two peers who try to connect.
type Outcome string

// The outcomes.
const (
	Connects Outcome = "direct"
	Relayed  Outcome = "relayed"
	Fails    Outcome = "failed"
	Depends  Outcome = "unknown" // on what is not known of a side
)

// Prediction is an outcome that follows from two behaviours by rule, and the
// rule.
type Prediction struct {
	Outcome Outcome `json:"outcome"`
	Rule    string  `json:"rule"`
}

// Predict tells what ICE (RFC 8445) makes of two peers behind different NATs,
// given a STUN server for both, and TURN by UDP and TCP if turn is set. It
// reasons about how the first checks pass, not about loss or time. Behaviours
// that are known in part give an outcome only if all they may be agree.
func Predict(a, b Behavior, turn bool) Prediction {
	switch {
	case a.Blocked || b.Blocked:
		return blocked(a, b, turn)
	case !a.Known() || !b.Known():
		return orRelay(Prediction{Depends, fmt.Sprintf("One side is %s, the other is %s: nothing is known of how one of them maps.", describe(a), describe(b))}, turn)
	}
	var first Prediction
	for i, x := range possible(a) {
		for j, y := range possible(b) {
			p := meet(x, y)
			switch {
			case i+j == 0:
				first = p
			case p.Outcome != first.Outcome:
				return orRelay(Prediction{Depends, fmt.Sprintf("One side %s, the other %s: it depends on what could not be told.", describe(a), describe(b))}, turn)
			}
		}
	}
	first.Rule = fmt.Sprintf("One side %s, the other %s: %s", describe(a), describe(b), first.Rule)
	return orRelay(first, turn)
}

// orRelay adds what a relay changes.
func orRelay(p Prediction, turn bool) Prediction {
	switch {
	case !turn || p.Outcome == Connects:
	case p.Outcome == Fails:
		p.Outcome = Relayed
		p.Rule += " The relay has an address that both can reach."
	default:
		p.Rule += " If not directly, they connect by the relay."
	}
	return p
}

func blocked(a, b Behavior, turn bool) Prediction {
	who := "One side gets no UDP through"
	if a.Blocked && b.Blocked {
		who = "Neither side gets UDP through"
	}
	if turn {
		return Prediction{Relayed, who + ", so mapping and filtering do not matter: only TURN over TCP is left."}
	}
	return Prediction{Fails, who + ", so mapping and filtering do not matter: it takes TURN over TCP, and there is none."}
}

// describe tells how a side maps and filters.
func describe(b Behavior) string {
	word := func(d Dependence) string {
		if d == "" {
			return "in a way not known"
		}
		return string(d)
	}
	if !b.Translated && b.Mapping != "" {
		return "is not translated and filters " + word(b.Filtering)
	}
	return "maps " + word(b.Mapping) + " and filters " + word(b.Filtering)
}

// possible lists all that a partly known behaviour may be.
func possible(b Behavior) []Behavior {
	var all []Behavior
	for _, m := range mayBe(b.Mapping) {
		for _, f := range mayBe(b.Filtering) {
			all = append(all, Behavior{Translated: b.Translated, Mapping: m, Filtering: f})
		}
	}
	return all
}

func mayBe(d Dependence) []Dependence {
	switch d {
	case "":
		return []Dependence{EndpointIndependent, AddressDependent, AddressAndPortDependent}
	case NotPortDependent:
		return []Dependence{EndpointIndependent, AddressDependent}
	case DestinationDependent:
		return []Dependence{AddressDependent, AddressAndPortDependent}
	}
	return []Dependence{d}
}

// meet reasons about two fully known sides. Each has told the other the outside
// address that a STUN server saw, and sends to what it was told.
func meet(a, b Behavior) Prediction {
	aKeeps, bKeeps := a.Mapping == EndpointIndependent, b.Mapping == EndpointIndependent
	switch {
	case aKeeps && bKeeps:
		return Prediction{Connects, "both send from the address that STUN saw, so each opens its filter to the other."}
	case aKeeps:
		return strayed(a)
	case bKeeps:
		return strayed(b)
	}
	return bothStray(a, b)
}

// strayed is the case of one side whose checks come from an address that nobody
// was told, toward one that keeps its address.
func strayed(keeper Behavior) Prediction {
	if keeper.Filtering == AddressAndPortDependent {
		return Prediction{Fails, "one sends from a port that STUN never saw, and the other lets in only the port it was told."}
	}
	return Prediction{Connects, "one sends from a port that STUN never saw, but the other lets any port of that address in, and answers to where it came from."}
}

// bothStray is the case of two sides that send to each other from new ports. The
// mapping that STUN saw lets nobody in but STUN, unless its filter is open.
func bothStray(a, b Behavior) Prediction {
	if a.Filtering != EndpointIndependent {
		a, b = b, a
	}
	switch {
	case a.Filtering != EndpointIndependent:
		return Prediction{Fails, "both send from ports that STUN never saw, and neither lets a stranger in at the one that it saw."}
	case b.Filtering == AddressAndPortDependent:
		return Prediction{Fails, "a check gets in on the open side, but its answer comes from yet another port, which the other does not let in."}
	case a.Mapping == AddressAndPortDependent && b.Mapping == AddressAndPortDependent:
		return Prediction{Fails, "checks get in, but each answer makes a new mapping, so none comes from where it was asked."}
	}
	return Prediction{Connects, "a check gets in on the open side, and the mapping of one side stays the same for all ports of the other."}
}
