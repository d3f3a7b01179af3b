package e2e

import (
	"testing"
	"time"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

// TestRoomRecovery takes the network away under a file that is on its way, and
// gives it back.
func TestRoomRecovery(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	t.Run("a short cut", c.shortCut)
	t.Run("a long cut", c.longCut)
	t.Run("a router restarts", c.routerRestarts)
	t.Run("the direct path breaks", c.directPathBreaks)
	t.Run("the server is out of reach", c.serverOutOfReach)
	t.Run("another network", c.anotherNetwork)
}

// underWay has Alice and Bob meet, and a part of a file at Bob's, with enough
// of it left for something to happen.
func (c *couple) underWay(t *testing.T, name string) (alice, bob *guest, file document) {
	t.Helper()
	alice, bob = c.meet(t, lostNetwork)
	bob.reaches("Alice", "direct", 2*patience)
	alice.reaches("Bob", "direct", 2*patience)
	file = newDocument(t, name, 48*mebibyte)
	alice.offers(file)
	bob.accepts(file.name)
	bob.begun(file.name)
	return alice, bob, file
}

// arrives waits for the file, whatever became of the path.
func (c *couple) arrives(alice, bob *guest, file document) {
	alice.t.Helper()
	bob.completes("in", file, recovery)
	alice.completes("out", file, patience)
	bob.saves(file)
	exchange(alice, bob, "after "+file.name)
}

// shortCut ends as soon as ICE has noticed it, which mends it within the
// session.
func (c *couple) shortCut(t *testing.T) {
	alice, bob, file := c.underWay(t, "short cut.bin")
	c.routers[0].Cut()
	bob.WaitFor(one("peer")+`.dataset.state === 'interrupted'`, recovery)
	if got := bob.transfer("in", file.name); got.State == "done" {
		t.Fatal("the file had arrived before the cut")
	}
	c.routers[0].Restore()
	began := time.Now()
	c.arrives(alice, bob, file)
	t.Logf("complete %v after the cut", time.Since(began).Round(time.Millisecond))
	for _, g := range []*guest{alice, bob} {
		if n := g.session(); n != 1 {
			t.Errorf("%s is in session %d, want the first", g.name, n)
		}
	}
}

// longCut ends when both sides have given the connection up.
func (c *couple) longCut(t *testing.T) {
	alice, bob, file := c.underWay(t, "long cut.bin")
	c.routers[0].Cut()
	for _, g := range []*guest{alice, bob} {
		g.WaitFor(link+`.pc.connectionState === 'failed'`, recovery)
	}
	for _, got := range []transfer{alice.transfer("out", file.name), bob.transfer("in", file.name)} {
		t.Logf("during the cut: %s, %q", got.State, got.Text)
	}
	c.routers[0].Restore()
	began := time.Now()
	c.arrives(alice, bob, file)
	t.Logf("complete %v after the cut, in session %d", time.Since(began).Round(time.Millisecond), bob.session())
	if a, b := alice.session(), bob.session(); a < 2 || a != b {
		t.Errorf("Alice is in session %d, Bob in %d, want a new one", a, b)
	}
}

// routerRestarts: all mappings are gone at once, on both sides.
func (c *couple) routerRestarts(t *testing.T) {
	alice, bob, file := c.underWay(t, "restart.bin")
	for _, router := range c.routers {
		router.ForgetMappings()
	}
	c.arrives(alice, bob, file)
}

// directPathBreaks leaves the relay, which has to do.
func (c *couple) directPathBreaks(t *testing.T) {
	alice, bob, file := c.underWay(t, "direct no more.bin")
	c.routers[0].Block(c.routers[1].Addr())
	began := time.Now()
	bob.reaches("Alice", "relayed", recovery)
	t.Logf("relayed %v after the direct path broke", time.Since(began).Round(time.Millisecond))
	c.arrives(alice, bob, file)
	for _, g := range []*guest{alice, bob} {
		g.isTold(`^Relayed( over TCP)?: (the direct addresses, which answered at first, no longer do|no pair of direct addresses answered, of \d+ tried)\.$`)
	}
	c.routers[0].Unblock(c.routers[1].Addr())
}

// serverOutOfReach cuts Alice's way to the server, with all sockets that lead
// there, while the two go on talking.
func (c *couple) serverOutOfReach(t *testing.T) {
	alice, bob, file := c.underWay(t, "no server.bin")
	c.routers[0].Block(c.host.Addr())
	c.resetTCP(t)
	alice.WaitFor(one("signaling")+`.dataset.state === 'reconnecting'`, patience)
	bob.WaitFor(one("peer", "name", "Alice")+`.dataset.away === 'true'`, patience)
	exchange(alice, bob, "without a server")
	bob.completes("in", file, recovery)
	alice.completes("out", file, patience)

	began := time.Now()
	c.routers[0].Unblock(c.host.Addr())
	alice.WaitFor(one("signaling")+`.dataset.state === 'open'`, recovery)
	bob.WaitFor(one("peer", "name", "Alice")+`.dataset.away === 'false'`, patience)
	t.Logf("back in the room after %v", time.Since(began).Round(time.Millisecond))
	exchange(alice, bob, "with the server again")
	for _, g := range []*guest{alice, bob} {
		if n := g.session(); n != 1 {
			t.Errorf("%s is in session %d, want the first", g.name, n)
		}
		if n := browser.Eval[int](g.Page, `document.querySelectorAll('[data-testid=peer]').length`); n != 1 {
			t.Errorf("%s sees %d peers", g.name, n)
		}
	}
	// What needs the server works again, too.
	alice.Click(at("new-session"))
	for _, g := range []*guest{alice, bob} {
		g.WaitFor(link+`.session === 2 && `+link+`.state === 'connected'`, patience)
	}
}

// resetTCP ends all TCP connections between Alice and the server at both ends,
// whatever stands between them.
func (c *couple) resetTCP(t *testing.T) {
	t.Helper()
	for _, end := range []struct{ host, other *netlab.Host }{{c.hosts[0], c.host}, {c.host, c.routers[0].Host}} {
		if out, err := end.host.Command("ss", "--tcp", "--kill", "dst", end.other.Addr().String()).CombinedOutput(); err != nil {
			t.Fatalf("ss --kill: %v\n%s", err, out)
		}
	}
}

// anotherNetwork takes Alice from her home to a café, whose router is of the
// other kind.
func (c *couple) anotherNetwork(t *testing.T) {
	cafe := c.lab.WAN.Router("cafe", netlab.Symmetric)
	alice, bob, file := c.underWay(t, "on the move.bin")
	c.hosts[0].MoveTo(cafe.LAN)
	began := time.Now()
	bob.reaches("Alice", "relayed", recovery)
	t.Logf("connected again after %v", time.Since(began).Round(time.Millisecond))
	c.arrives(alice, bob, file)
	alice.WaitFor(one("signaling")+`.dataset.state === 'open'`, patience)
	bob.WaitFor(one("peer", "name", "Alice")+`.dataset.away === 'false'`, patience)
	// Where she was is history.
	home := js(c.routers[0].Addr().String())
	if stale := browser.Eval[int](alice.Page, link+`.candidates.local.filter((c) => c.address === `+home+`).length`); stale > 0 {
		t.Errorf("%d candidates of the network that Alice left are shown as hers", stale)
	}
}

// link is the JavaScript for a guest's only link.
const link = `[...peerlab.room.links.values()][0]`

// session is the number of the connection in use, from 1.
func (g *guest) session() int {
	g.t.Helper()
	return browser.Eval[int](g.Page, link+`.session`)
}
