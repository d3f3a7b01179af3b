package portmapping

import (
	"fmt"
	"net/netip"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
)

// result is how it went in one home.
type result struct {
	failed   error
	external netip.Addr // of the router, by its own word
	seen     netip.Addr // of the laptop, by the internet's
	grant    grant
	took     time.Duration // until the port was open

	before, while  bool // reached from outside
	closed         bool // the router was asked to remove the mapping, and has
	after          bool // the router has the mapping still, when all is over
	leaked         bool // the next program on the port was reached
	tries, through int
	renewals, lost int
	open           time.Duration // after the end of the program, as far as seen
}

// inWords names the protocol of a way.
var inWords = map[string]string{byUPnP: "UPnP", naive: "UPnP", byPMP: "NAT-PMP", ownByUPnP: "UPnP", ownByPMP: "NAT-PMP"}

// region double-nat

// judge compares what the router says of its address with what the internet
// sees: if they differ, there is another NAT beyond it that nobody has asked.
func (h *home) judge() nat.Verdict {
	return nat.Judge(nat.Evidence{
		Local:  []netip.Addr{h.laptop.Addr()},
		Router: h.result.external.IsValid(),
		UPnP:   h.result.external,
		By:     inWords[h.way],
		STUN:   h.result.seen,
	})
}

// endregion

// facts records what was measured.
func (h *home) facts() {
	r, res := h.run, h.result
	r.Fact("reachable before", truth(res.before), "of 1")
	r.Fact("reachable while mapped", truth(res.while), "of 1")
	r.Fact("the next program reached from outside", truth(res.leaked), "of 1")
	if res.failed != nil {
		return
	}
	r.Fact("until open", lab.Milliseconds(res.took), "ms")
	r.Fact("packets until open", float64(h.tally.packets), "packets")
	r.Fact("bytes until open", float64(h.tally.bytes), "B")
	r.Fact("outside port", float64(res.grant.external), "port")
	granted := trace.Event{Kind: trace.Fact, Layer: trace.App, Name: "lease granted", Value: res.grant.lease.Seconds(), Unit: "s"}
	if res.grant.lease == 0 {
		granted.Text = "for ever"
	}
	r.Add(granted)
	r.Fact("renewals", float64(res.renewals), "")
	if res.tries > 0 {
		r.Fact("tries that got through meanwhile", 100*float64(res.through)/float64(res.tries), "%")
	}
	r.Fact("open after the program's end", res.open.Round(10*time.Millisecond).Seconds(), "s")
}

// verdict says how it went in this home.
func (h *home) verdict() (tone lab.Tone) {
	defer h.facts()
	res, kind := h.result, h.judge()
	switch {
	case res.failed != nil:
		h.run.Verdict(lab.Bad, "Nothing was mapped: %v.", res.failed)
		return lab.Bad
	case !res.while && (kind.Kind == nat.DoubleNAT || kind.Kind == nat.CGNAT):
		h.run.Verdict(lab.Bad, "The router has mapped the port, and nobody gets through. %s", kind.Sentence)
		return lab.Bad
	case !res.while && h.run.Settings().Loss > 0:
		h.run.Verdict(lab.Bad, "The router has mapped the port, and none of the tries got through, which may be chance: this link loses packets.")
		return lab.Bad
	case !res.while:
		h.run.Verdict(lab.Bad, "The router has mapped the port, and nobody gets through, for a reason that this run can't tell.")
		return lab.Bad
	case res.closed:
		h.run.Verdict(lab.Good, "Port %d of the router was open while the program ran, and closed when it ended.", res.grant.external)
		return lab.Good
	case res.after && res.grant.lease == 0:
		h.run.Verdict(lab.Bad, "The program has ended and its mapping stands. %s Without a lease it goes on until somebody removes it, or the router restarts.", res.strangers())
		return lab.Bad
	case res.after:
		h.run.Verdict(lab.Warn, "%s, and its mapping stands until its lease of %s is over. %s", h.left(), res.grant.lease, res.strangers())
		return lab.Warn
	case res.grant.lease == 0 && h.way == naive:
		h.run.Verdict(lab.Warn, "The mapping was for ever, and the router has lost it: this program does not notice.")
		return lab.Warn
	case res.grant.lease == 0:
		h.run.Verdict(lab.Warn, "%s. The mapping was for ever, and the router has lost it.", h.left())
		return lab.Warn
	}
	h.run.Verdict(lab.Warn, "%s. Then its lease ran out. %s", h.left(), res.strangers())
	return lab.Warn
}

// left says how a program ended that did not close its port.
func (h *home) left() string {
	if h.isKilled() {
		return "The program was killed and removed nothing"
	}
	return "The program asked the router to remove the mapping, and got no answer"
}

// strangers says who got to the next program on the port.
func (res result) strangers() string {
	if !res.leaked {
		return "No try reached what listens on that port now."
	}
	return fmt.Sprintf("For %.1f s strangers reached what listens on that port now.", res.open.Seconds())
}

// conclude says what all of it comes to.
func conclude(p Params, r *lab.Run, homes []*home) {
	tones := map[lab.Tone]int{}
	reached, lost := 0, false
	for _, h := range homes {
		tones[h.verdict()]++
		res := h.result
		if res.while {
			reached++
		}
		lost = lost || res.while && !res.closed && !res.after && res.grant.lease == 0
	}
	first := homes[0]
	kind := first.judge()
	say := func(tone lab.Tone, format string, args ...any) {
		if r.Network() == lab.Loopback {
			format = "Simulated, as no router of yours was to be asked or answered. " + format
		}
		r.Verdict(tone, format, args...)
	}
	switch {
	case first.result.failed == nil && p.Carrier != "none" && kind.Kind != nat.SingleNAT:
		say(lab.Bad, "Two NATs. %s", kind.Sentence)
	case reached == 0:
		say(lab.Bad, "Nobody got through: see the sentences below.")
	case reached < len(homes):
		say(lab.Warn, "One NAT, and a port mapped on it is reachable, but not every program was reached: see the sentences below.")
	case lost:
		say(lab.Warn, "One NAT, and a port mapped on it is reachable. A router that restarts forgets its table, and tells nobody: who looks after his mapping has it again.")
	case tones[lab.Bad] > 0 && tones[lab.Warn] > 0:
		say(lab.Warn, "One NAT, and a port mapped on it is reachable. Where nobody removed the mapping a lease bounds the damage; without one the door stays open for the next program on that port.")
	case tones[lab.Bad] > 0 && tones[lab.Bad] < len(homes):
		say(lab.Warn, "One NAT, and a port mapped on it is reachable. Who asks for a lease and removes the mapping leaves nothing behind; who does neither leaves a door open that the next program stands in.")
	case tones[lab.Good] == len(homes):
		say(lab.Good, "%s", kind.Sentence)
	case tones[lab.Bad] == 0:
		say(lab.Warn, "One NAT, and a port mapped on it is reachable. Where nobody removed the mapping, its lease bounds the damage.")
	default:
		say(lab.Bad, "The door stayed open: see the sentences below.")
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
