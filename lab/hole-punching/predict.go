package holepunching

import (
	"math"
	"math/rand/v2"
	"net/netip"

	"peerlab/netsim"
)

// maxStep is the largest distance of two ports that still looks like counting.
const maxStep = 16

// region predict

// step is how far apart the ports are by which the two doors have seen
// somebody: 0 if the NAT maps by the inside alone. regular tells whether the
// next one can be told from it.
func step(seen [2]netip.AddrPort) (by int, regular bool) {
	by = int(seen[1].Port()) - int(seen[0].Port())
	return by, by >= -maxStep && by <= maxStep
}

// guesses are up to k places where somebody may be reached who was seen at two
// doors: the one place if both have seen the same, the next ports if it
// counts, else ports at random.
func guesses(seen [2]netip.AddrPort, k int, luck *rand.Rand) []netip.AddrPort {
	by, regular := step(seen)
	if by == 0 {
		return seen[:1]
	}
	all := make([]netip.AddrPort, 0, k)
	taken := map[int]bool{int(seen[0].Port()): true, int(seen[1].Port()): true}
	for i := 1; len(all) < k && i <= 100*k; i++ {
		port := int(seen[1].Port()) + i*by
		if !regular {
			port = lowPort + luck.IntN(allPorts)
		}
		if port >= lowPort && port <= math.MaxUint16 && !taken[port] {
			taken[port] = true
			all = append(all, netip.AddrPortFrom(seen[1].Addr(), uint16(port)))
		}
	}
	return all
}

// endregion

// Ports that a NAT assigns.
const (
	lowPort  = 1024
	allPorts = math.MaxUint16 - lowPort + 1
)

// hidden tells who can only be reached at a port that nobody has seen.
func hidden(mine, other kind) bool {
	return mine == symmetric && (other == portRestricted || other == symmetric)
}

// region odds

// odds are what arithmetic says of one try, on a link that loses nothing.
func odds(p Params, predict bool) float64 {
	hard := 0
	for _, k := range [][2]kind{{p.A, p.B}, {p.B, p.A}} {
		if hidden(k[0], k[1]) {
			hard++
		}
	}
	guess, others := float64(p.Guesses), float64(p.Others)
	switch {
	case hard == 0:
		return 1
	case !predict:
		return 0 // the port that the rendezvous has seen is for the rendezvous
	case p.Ports == netsim.Preserve:
		return 1 // taken: the next one up, and neighbours have other ports
	case p.Ports == netsim.Sequential && hard == 1:
		return min(1, guess/(others+1)) // neighbours take 0 to others ports before us
	case p.Ports == netsim.Sequential:
		return 1 / ((others + 1) * (others + 1)) // both have to be exactly right
	case hard == 1:
		miss := 1.0 // none of the guesses is one of the ports that the sockets got
		for i := range p.Guesses {
			miss *= 1 - float64(p.Sockets)/float64(allPorts-i)
		}
		return 1 - miss
	default: // each needs to have guessed the other's port for its own guess
		return 1 - math.Pow(1-1.0/allPorts/allPorts, guess*guess)
	}
}

// endregion
