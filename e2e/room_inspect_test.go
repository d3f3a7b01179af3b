package e2e

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"peerlab/e2e/browser"
	"peerlab/trace"
)

// inspector looks at a direct connection through all tabs of the inspector, and
// at the record that it exports.
func (c *couple) inspector(t *testing.T) {
	alice, bob := c.meet(t)
	alice.reaches("Bob", "direct", 2*patience)
	bob.reaches("Alice", "direct", 2*patience)
	exchange(alice, bob, "to be inspected")
	for _, g := range []*guest{alice, bob} {
		g.seesLadder()
		g.seesCandidates()
		g.seesOnePairInUse()
		g.seesCharts()
		c.exports(g)
	}
}

// seesLadder expects each step of a connection in the ladder: its rows as a
// table, and as a drawing.
func (g *guest) seesLadder() {
	g.t.Helper()
	g.Click(at("tab-ladder"))
	g.WaitFor(`document.querySelectorAll('#ladder svg .label').length > 5`, patience)
	g.Click("#ladder-table")
	peer := map[string]string{"Alice": "Bob", "Bob": "Alice"}[g.name]
	for _, step := range []string{
		`app \| (you → server|server → you) \| offer`,
		`app \| (you → server|server → you) \| answer`,
		`ice \| server → you \| STUN: your address srflx 25\.0\.0\.\d+:\d+ udp`,
		`ice \| you → server \| candidate srflx 25\.0\.0\.\d+:\d+ udp`,
		`ice \| server → you \| candidate srflx 25\.0\.0\.\d+:\d+ udp`,
		`ice \| you → ` + peer + ` \| check srflx`,
		`ice \| ` + peer + ` → you \| check answered srflx`,
		`ice \| you \| connected`,
		`dtls \| you \| connected`,
		`sctp \| you \| connected`,
		`sctp \| you \| channel (chat|files|bench|probe): open`,
		`app \| you \| connect to ` + peer + ` connected, \d+ ms`,
	} {
		g.ladderHas(step)
	}
	// A layer that is switched off is gone, and comes back.
	const iceRows = `document.querySelectorAll('#ladder table tr[data-layer="ice"]').length`
	g.Click(`.layer[data-layer="ice"]`)
	g.WaitFor(iceRows+` === 0`, patience)
	g.Click(`.layer[data-layer="ice"]`)
	g.WaitFor(iceRows+` > 5`, patience)
	g.Click("#ladder-table")
}

// ladderHas waits for a row of the ladder's table: layer, who, what.
func (g *guest) ladderHas(row string) {
	g.t.Helper()
	g.WaitFor(`[...document.querySelectorAll('#ladder table tr')].some((row) => new RegExp(`+js(`^[\d.]+ m?s \| `+row)+`).test([...row.cells].map((cell) => cell.textContent).join(' | ')))`, patience)
}

// seesCandidates expects the candidates that the path rests on, of both sides. A
// browser that connects fast does not wait for those of a relay, nor for the mDNS
// name without which it has no host candidate to send.
func (g *guest) seesCandidates() {
	g.t.Helper()
	g.Click(at("tab-candidates"))
	g.WaitFor(`(() => { const [mine, theirs] = [...document.querySelectorAll('[data-testid="candidates"] table')].map((table) => [...table.querySelectorAll('tr[data-type]')].map((row) => row.dataset.type));
		if (mine.includes('srflx') && theirs.includes('srflx')) return true;
		throw new Error('mine ' + mine + ', theirs ' + theirs); })()`, patience)
	if local, remote := g.usedCandidates(); local != "srflx udp" || remote != "srflx udp" {
		g.t.Errorf("%s: in use are %q and %q, want srflx on both sides", g.name, local, remote)
	}
}

func (g *guest) seesOnePairInUse() {
	g.t.Helper()
	g.Click(at("tab-pairs"))
	g.WaitFor(`document.querySelectorAll('[data-testid="pairs"] tr[data-state]').length > 0`, patience)
	used := browser.Eval[[]string](g.Page, `[...document.querySelectorAll('[data-testid="pairs"] tr[data-selected="true"]')].map((row) => row.innerText)`)
	if len(used) != 1 || !regexp.MustCompile(`in use\s+srflx 25\.0\.0\.1[12]:\d+\s+srflx 25\.0\.0\.1[12]:\d+\s+\d+/\d+\s+(< )?[\d.]+ ms`).MatchString(used[0]) {
		g.t.Errorf("%s: pairs in use: %q", g.name, used)
	}
}

// seesCharts expects lines drawn, and their values.
func (g *guest) seesCharts() {
	g.t.Helper()
	g.Click(at("tab-charts"))
	g.WaitFor(`(() => { const charts = [...document.querySelectorAll('[data-testid="charts"] svg.plot')];
		return charts.length === 2 && charts.every((svg) => svg.querySelectorAll('path.series').length === 2 && svg.querySelector('path.series').getTotalLength() > 10); })()`, patience)
	words := browser.Eval[[]string](g.Page, `[...document.querySelectorAll('[data-testid="charts"] svg.plot')].map((svg) => svg.getAttribute('aria-label'))`)
	if !regexp.MustCompile(`^Round trip: ICE (< )?[\d.]+ ms, data channel (< )?[\d.]+ ms\|Throughput: sent [\d.]+ [kM]?bit/s, received [\d.]+ [kM]?bit/s$`).MatchString(strings.Join(words, "|")) {
		g.t.Errorf("%s: charts say %q", g.name, words)
	}
	g.Click(`[data-testid="charts"] summary`)
	g.WaitFor(`document.querySelectorAll('[data-testid="charts"] details table tr').length > 2`, patience)
}

// exports saves the record with and without addresses.
func (c *couple) exports(g *guest) {
	g.t.Helper()
	open := func() (text string, run *trace.Run) {
		saved := g.Download(patience, func() { g.Click(at("export")) })
		data, err := os.ReadFile(saved.Path)
		if err != nil {
			g.t.Fatal(err)
		}
		if !regexp.MustCompile(`^peerlab-[\w-]+\.json$`).MatchString(saved.Name) {
			g.t.Errorf("%s: the record is saved as %s", g.name, saved.Name)
		}
		run, err = trace.Decode(bytes.NewReader(data))
		if err != nil {
			g.t.Fatalf("%s: the record is no run: %v", g.name, err)
		}
		return string(data), run
	}

	redacted, run := open() // as it is by default
	if run.Lab != "room" || run.Started.IsZero() || len(run.Events) < 30 {
		g.t.Errorf("%s: the record is of %q, started %v, %d events", g.name, run.Lab, run.Started, len(run.Events))
	}
	// What is left of addresses are placeholders (RFC 5737) and the
	// unspecified one, which is nobody's.
	for _, address := range regexp.MustCompile(`\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]+\.local`).FindAllString(redacted, -1) {
		if !regexp.MustCompile(`^(192\.0\.2\.\d+|0\.0\.0\.0|127\.0\.0\.1|address-\d+\.local)$`).MatchString(address) {
			g.t.Errorf("%s: the record without addresses has %s", g.name, address)
		}
	}
	room := strings.TrimPrefix(browser.Eval[string](g.Page, `location.pathname`), "/rooms/")
	for _, secret := range []string{c.routers[0].Addr().String(), c.routers[1].Addr().String(), c.hosts[0].Addr().String(), c.host.Addr().String(), room} {
		if strings.Contains(redacted, secret) {
			g.t.Errorf("%s: the record without addresses has %s", g.name, secret)
		}
	}
	if !strings.Contains(redacted, "192.0.2.") {
		g.t.Errorf("%s: nothing in the record shows where an address was", g.name)
	}

	g.Click(at("redact"))
	full, whole := open()
	for _, router := range c.routers {
		if !strings.Contains(full, router.Addr().String()) {
			g.t.Errorf("%s: the full record lacks %s", g.name, router.Addr())
		}
	}
	if len(whole.Events) < len(run.Events) {
		g.t.Errorf("%s: the full record has %d events, the other %d", g.name, len(whole.Events), len(run.Events))
	}
	g.Click(at("redact"))
}
