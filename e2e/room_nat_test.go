package e2e

import (
	"testing"

	"peerlab/e2e/netlab"
)

// differentNATs has two people meet of whom one is behind a symmetric NAT. What
// the other's NAT lets in no browser can measure; that no path came about tells.
func (c *couple) differentNATs(t *testing.T) {
	for i, nat := range []netlab.NAT{netlab.Symmetric, netlab.Cone} {
		c.routers[i].SetNAT(nat)
		c.routers[i].BlockUDP(false)
	}
	alice, bob := c.meet(t)
	for _, g := range []*guest{alice, bob} {
		g.reaches(map[*guest]string{alice: "Bob", bob: "Alice"}[g], "relayed", 2*patience)
	}
	alice.seesNATs("symmetric NAT", "cone-like NAT")
	bob.seesNATs("cone-like NAT", "symmetric NAT")
	alice.isTold(`^Relayed( over TCP)?: no pair of direct addresses answered, of \d+ tried\. Your NAT is symmetric and Bob's is cone-like: a direct path needs yours to keep the port that STUN saw, or Bob's to let in .+, and that seems not to be so\.$`)
	bob.isTold(`Your NAT is cone-like and Alice's is symmetric: a direct path needs Alice's to keep the port that STUN saw, or yours to let in`)
	bob.Click(at("leave"))
	alice.sees()
}

// strictGoPeer has a page behind a symmetric NAT meet a program that can tell how
// its own filters: then it is no matter of seeming.
func (c *couple) strictGoPeer(t *testing.T) {
	c.routers[0].SetNAT(netlab.Cone)
	c.routers[1].SetNAT(netlab.Symmetric)
	bob := newGuest(t, c.browsers[1].Page(t), "Bob")
	p := c.startPeer(t, "receive", "--name", "Gopher", "--dir", t.TempDir(), bob.startsRoom(c.server.base))
	bob.reaches("Gopher", "relayed", 2*patience)
	bob.seesNATs("symmetric NAT", "cone-like NAT")
	bob.isTold(`^Relayed( over TCP)? because your NAT is symmetric and Gopher's is cone-like: a direct path needs yours to keep the port that STUN saw, or Gopher's to let in .+ No pair of direct addresses answered, of \d+ tried\.$`)
	p.Stop()
}

// seesNATs waits for the badges of two NATs: at the people, and in the inspector.
func (g *guest) seesNATs(mine, theirs string) {
	g.t.Helper()
	g.WaitFor(`document.querySelector('[data-testid="peer"] [data-testid="nat-badge"]').textContent === `+js(theirs), patience)
	const inGraph = `[...document.querySelectorAll('#graph .nat')].map((el) => el.textContent).filter(Boolean)`
	g.WaitFor(`(`+inGraph+`).join() === `+js(mine+","+theirs), patience)
	g.WaitFor(`[...document.querySelectorAll('[data-testid="nats"] strong')].map((el) => el.textContent).join() === `+js(mine+","+theirs), patience)
}
