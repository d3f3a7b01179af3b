package nattype

import (
	"fmt"
	"strings"

	"peerlab/lab"
	"peerlab/nat"
)

// truth is how an emulated NAT was told to behave. The discovery does not know it.
type truth struct{ nat.Behavior }

// property is one thing that can be found out: whether it was, and rightly.
type property struct {
	name        string
	told, right bool
}

// region compare

// compare holds what was found against the truth.
func (t truth) compare(b nat.Behavior) []property {
	all := []property{{"whether UDP gets through", b.Known(), b.Blocked == t.Blocked}}
	if t.Blocked || b.Blocked {
		return all
	}
	all = append(all,
		property{"translation", b.Known(), b.Translated == t.Translated},
		property{"mapping", b.Mapping != "", covers(b.Mapping, t.Mapping)},
		property{"filtering", b.Filtering != "", covers(b.Filtering, t.Filtering)})
	for name, two := range map[string][2]*bool{"ports kept": {b.Preserves, t.Preserves}, "hairpinning": {b.Hairpin, t.Hairpin}} {
		if found, is := two[0], two[1]; is != nil {
			all = append(all, property{name, found != nil, found != nil && *found == *is})
		}
	}
	return all
}

// covers tells whether a finding, which may leave two possibilities, has the truth
// among them.
func covers(found, is nat.Dependence) bool {
	switch found {
	case nat.NotPortDependent:
		return is != nat.AddressAndPortDependent
	case nat.DestinationDependent:
		return is != nat.EndpointIndependent
	}
	return found == is
}

// endregion

// verdict says what was found, whether it is true, and what it means.
func (t truth) verdict(r *lab.Run, d nat.Discovery) {
	told, right := 0, 0
	var wrong []string
	all := t.compare(d.Behavior)
	for _, p := range all {
		switch {
		case p.told && p.right:
			told++
			right++
		case p.told:
			told++
			wrong = append(wrong, p.name)
		}
	}
	r.Fact("properties told", float64(told), fmt.Sprintf("of %d", len(all)))
	r.Fact("told right", float64(right), fmt.Sprintf("of %d", told))
	tone, means := light(d.Behavior)
	if len(wrong) > 0 {
		why := ""
		if r.Settings().Loss > 0 {
			why = " What is asked in vain four times counts as silence, and on a link that loses packets that can be chance."
		}
		r.Verdict(lab.Bad, "Found from outside: %s. Wrong about %s: it really is %s.%s", d.Behavior.Kind(), strings.Join(wrong, ", "), t.Kind(), why)
		return
	}
	r.Verdict(tone, "Found from outside: %s. It really is: %s. %s", d.Behavior.Kind(), t.Kind(), means)
}
