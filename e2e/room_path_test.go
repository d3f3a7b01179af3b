package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

// situation is what stands between two peers, and what each is to be told of
// it: an expression for what is true, and one for what would be a lie.
type situation struct {
	name       string
	nat        netlab.NAT
	udpBlocked [2]bool
	path       string
	truth, lie [2]string
	nats       [2]string // as their badges say
}

var situations = []situation{{
	name: "cone and cone", nat: netlab.Cone, path: "direct",
	truth: both(`^Direct(:|, between)`),
	lie:   both(`(?i)relay|tcp|local network|no NAT|computer`),
	nats:  both("cone-like NAT"),
}, {
	name: "symmetric and symmetric", nat: netlab.Symmetric, path: "relayed",
	// Each has a relay by UDP and one by TCP; on a busy machine either may be first.
	truth: both(`^Relayed( over TCP)? because your NAT and (Alice|Bob)'s are both symmetric: a direct path needs .+\. No pair of direct addresses answered, of \d+ tried\.$`),
	lie:   both(`(?i)tcp:|chose|two STUN servers|seems`),
	nats:  both("symmetric NAT"),
}, {
	name: "no UDP on one side", nat: netlab.Cone, udpBlocked: [2]bool{false, true}, path: "relayed",
	// The relays that both have meet on the server, so Alice may end up with
	// any of hers, TCP included, though UDP gets out of her network.
	truth: [2]string{`^Relayed( over TCP)? because no UDP gets through to Bob: only a relay is left, over TCP\.$`, `^Relayed over TCP: no UDP got out of this network`},
	lie:   [2]string{`(?i)chose|this network`, `(?i)chose|your router`},
	nats:  [2]string{"cone-like NAT", "UDP blocked"},
}, {
	name: "no UDP on both sides", nat: netlab.Cone, udpBlocked: [2]bool{true, true}, path: "relayed",
	truth: both(`^Relayed over TCP: no UDP got out of this network`),
	lie:   both(`(?i)chose|your router`),
	nats:  both("UDP blocked"),
}}

func both(expression string) [2]string { return [2]string{expression, expression} }

// TestRoomPaths takes two people behind NATs through what a room is for, in
// every situation they may be in.
func TestRoomPaths(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			for i, router := range c.routers {
				router.SetNAT(s.nat)
				router.BlockUDP(s.udpBlocked[i])
			}
			c.talk(t, s)
		})
	}
	t.Run("symmetric and cone", c.differentNATs)
	t.Run("symmetric and a strict cone", c.strictGoPeer)
}

// talk has two people meet, chat and exchange files.
func (c *couple) talk(t *testing.T, s situation) {
	alice, bob := c.meet(t)
	for _, g := range []*guest{alice, bob} {
		other := map[*guest]string{alice: "Bob", bob: "Alice"}[g]
		g.reaches(other, s.path, 2*patience)
	}
	t.Logf("from entering to open channels: %v at Bob, who came second", bob.setup("Alice"))
	exchange(alice, bob, "over "+s.name)

	// The first pair that works may give way to a better one.
	for i, g := range []*guest{alice, bob} {
		g.seesNATs(s.nats[i], s.nats[1-i])
		g.isTold(s.truth[i])
		t.Logf("%s is told: %s", g.name, g.why())
	}

	const size = 20 * mebibyte
	for i, way := range [][2]*guest{{alice, bob}, {bob, alice}} {
		from, to := way[0], way[1]
		file := newDocument(t, "from "+from.name+".bin", size)
		from.offers(file)
		to.accepts(file.name)
		began := time.Now()
		kept := to.completes("in", file, recovery)
		took := time.Since(began)
		from.completes("out", file, patience)
		to.saves(file)
		// Bob's page is no secure context, so it may not use the disk.
		want := []string{"in memory", "browser's own storage"}[i]
		if !regexp.MustCompile(want).MatchString(kept.Text) {
			t.Errorf("%s's page says %q, want a file kept %s", to.name, kept.Text, want)
		}
		t.Logf("%s to %s: %.1f MB/s", from.name, to.name, size/1e6/took.Seconds())
	}
	for i, g := range []*guest{alice, bob} {
		why := g.why()
		if !regexp.MustCompile(s.truth[i]).MatchString(why) || regexp.MustCompile(s.lie[i]).MatchString(why) {
			t.Errorf("%s is told %q, want %s and not %s", g.name, why, s.truth[i], s.lie[i])
		}
		if local, _ := g.usedCandidates(); strings.HasPrefix(why, "Relayed over TCP") != strings.HasSuffix(local, "over tcp") {
			t.Errorf("%s is told %q of %s", g.name, why, local)
		}
		if got := browser.Eval[string](g.Page, one("peer")+`.dataset.path`); got != s.path {
			t.Errorf("at the end %s's path is %s, want %s", g.name, got, s.path)
		}
	}
}

// isTold waits until what the page says about the path in use matches.
func (g *guest) isTold(expression string) {
	g.t.Helper()
	g.isToldIn(patience, expression)
}

func (g *guest) isToldIn(within time.Duration, expression string) {
	g.t.Helper()
	g.WaitFor(`(text => { if (new RegExp(`+js(expression)+`).test(text)) return true; throw new Error('it says: ' + text); })(`+one("why-sentence")+`.textContent)`, within)
}

// chooses sets which paths may be used.
func (g *guest) chooses(path string) {
	g.t.Helper()
	browser.Eval[chromedp.Void](g.Page, `(() => { const el = `+one("path-select")+`; el.value = `+js(path)+`; el.dispatchEvent(new Event('change')); })()`)
}

// usedCandidates are the two ends of the path in use, as the inspector lists
// them, such as "srflx udp" or "relay udp over tcp".
func (g *guest) usedCandidates() (local, remote string) {
	g.t.Helper()
	g.Click(at("tab-candidates"))
	g.WaitFor(`document.querySelectorAll('[data-testid=candidates] tr[data-used=true]').length === 2`, patience)
	used := browser.Eval[[2]string](g.Page, `[...document.querySelectorAll('[data-testid=candidates] tr[data-used=true]')].map((row) => row.dataset.type + ' ' + row.cells[2].textContent)`)
	return used[0], used[1]
}

// pathChoice changes the path of a connection that could be direct.
func (c *couple) pathChoice(t *testing.T) {
	alice, bob := c.meet(t)
	alice.reaches("Bob", "direct", 2*patience)
	bob.reaches("Alice", "direct", 2*patience)

	for _, choice := range []struct{ path, leads, local, alice, bob string }{
		{"relay-udp", "relayed", "relay udp over udp", `^Relayed because you chose relay only, over UDP\.$`, `^Relayed( over TCP)? because Alice offers nothing but a relay\.$`},
		{"relay-tcp", "relayed", "relay udp over tcp", `^Relayed because you chose relay only, over TCP\.$`, `^Relayed( over TCP)? because Alice offers nothing but a relay\.$`},
		{"direct", "direct", "srflx udp", `^Direct`, `^Direct`},
		{"relay-udp", "relayed", "relay udp over udp", `^Relayed because you chose relay only, over UDP\.$`, `^Relayed( over TCP)? because Alice offers nothing but a relay\.$`},
		{"any", "direct", "srflx udp", `^Direct`, `^Direct`},
	} {
		began := time.Now()
		alice.chooses(choice.path)
		for _, g := range []*guest{alice, bob} {
			g.isTold(map[*guest]string{alice: choice.alice, bob: choice.bob}[g])
			g.reaches(map[*guest]string{alice: "Bob", bob: "Alice"}[g], choice.leads, patience)
		}
		t.Logf("%s after %v", choice.path, time.Since(began).Round(time.Millisecond))
		if local, remote := alice.usedCandidates(); local != choice.local {
			t.Errorf("%s: Alice's end of the path is %q, want %q; the other is %q", choice.path, local, choice.local, remote)
		}
		exchange(alice, bob, "over "+choice.path)
		file := newDocument(t, choice.path+".bin", mebibyte)
		bob.offers(file)
		alice.accepts(file.name)
		alice.completes("in", file, patience)
		bob.completes("out", file, patience)
	}

	alice.Click(at("tab-ladder"))
	alice.Click("#ladder-table")
	alice.ladderHas(`turn \| relay → you \| TURN: your relayed address relay 25\.0\.0\.10:\d+ udp`)

	// Where none of the allowed paths works, the page says so, and whose doing it is.
	for _, router := range c.routers {
		router.SetNAT(netlab.Symmetric)
	}
	bob.chooses("direct")
	bob.isToldIn(recovery, `^Failed: you chose direct only, and `)
	alice.isToldIn(recovery, `^Failed: `)
	bob.chooses("any")
	for _, g := range []*guest{alice, bob} {
		g.reaches(map[*guest]string{alice: "Bob", bob: "Alice"}[g], "relayed", recovery)
	}
	exchange(alice, bob, "over what is left")
	for _, router := range c.routers {
		router.SetNAT(netlab.Cone)
	}
}

// setup is the time from entering the room to open channels, from the page's
// own record.
func (g *guest) setup(peer string) time.Duration {
	g.t.Helper()
	return time.Duration(browser.Eval[int64](g.Page,
		`peerlab.recorder.events.find((e) => e.kind === 'span' && e.name === 'connect to ' + `+js(peer)+` && e.text === 'connected').at_ns`)).Round(time.Millisecond)
}
