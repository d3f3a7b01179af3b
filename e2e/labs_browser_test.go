package e2e

import (
	"slices"
	"strings"
	"testing"

	"peerlab/e2e/browser"
)

// numbers are the seqs of the events that a page has.
const numbers = `peerlab.player.events.map(e => e.seq)`

func TestTwoBrowsersSeeTheSameRun(t *testing.T) {
	s := startServer(t, nil)
	b := browser.Launch(t, browser.Config{})
	run := s.startRun("tcp-server", "clients=4&messages=5&pace=150&stay=3")
	pages := []*browser.Page{b.Page(t), b.PrivatePage(t)}
	for _, p := range pages {
		p.Open(s.base + run.path)
	}
	for _, p := range pages { // both are there while it goes on
		p.WaitFor(`(d => d.state === 'running' && d.stream === 'open' && Number(d.events) > 0)(document.querySelector('[data-testid="run"]').dataset)`, patience)
	}
	ended := `document.querySelector('[data-testid="run"]').dataset.state === 'ended' && document.querySelector('[data-testid="run"]').dataset.stream === 'ended'`
	for _, p := range pages {
		p.WaitFor(ended, 2*patience)
	}
	saved := run.saved()
	for _, p := range pages {
		gapless(t, "a browser", browser.Eval[[]int](p, numbers), len(saved.Events))
	}
	const digest = `JSON.stringify(peerlab.player.events)`
	first := browser.Eval[string](pages[0], digest)
	if first != browser.Eval[string](pages[1], digest) {
		t.Error("two browsers have different events")
	}
	if first != browser.Eval[string](pages[0], `fetch('`+run.path+`.json').then(r => r.json()).then(d => JSON.stringify(d.events))`) {
		t.Error("the saved run has other events than the pages")
	}
}

func TestEveryLabInABrowser(t *testing.T) {
	s := startServer(t, nil)
	b := browser.Launch(t, browser.Config{})
	short := map[string]string{
		"/labs/tcp-server":    "clients=3&messages=2&pace=40&wait=300",
		"/labs/listen-dial":   "patience=300&timewait=1",
		"/labs/udp":           "size=40&wait=200",
		"/labs/deadlines":     "deadline=100&pace=25&polite=1",
		"/labs/tcp-pool":      "requests=2&patience=300&probe-after=20&idle=60",
		"/labs/packets":       "size=4",
		"/labs/dns":           "lookups=4",
		"/labs/fasthttp":      "load=100&for=1&bare=200&idle=10",
		"/labs/transport":     "fresh=0&cooldown=50",
		"/labs/hijack":        "pace=50",
		"/labs/proxy":         "requests=4&load=20&rest=200",
		"/labs/keep-alive":    "requests=2&against=2&server-idle=150",
		"/labs/throttle":      "for=2&file=100",
		"/labs/latency":       "warm=1&parallel=2",
		"/labs/http2":         "requests=2&busy=100",
		"/labs/multiplexing":  "requests=4&rounds=1",
		"/labs/pipelining":    "requests=3",
		"/labs/slow-network":  "size=50",
		"/labs/port-mapping":  "pace=200&wait=200&show=protocols",
		"/labs/hole-punching": "tries=2",
		"/labs/nat-matrix":    "pace=100",
		"/labs/webrtc":        "compare=trickle",
		"/labs/nat-type":      "server=127.0.0.1:9999",
	}
	for _, path := range s.labLinks() {
		for _, network := range []string{"loopback", "link"} {
			if !strings.Contains(s.get(path).body, `value="`+network+`"`) {
				continue // it has no such network
			}
			t.Run(strings.TrimPrefix(path, "/labs/")+" "+network, func(t *testing.T) {
				p := b.PrivatePage(t)
				p.Open(s.base + path + "?network=" + network + "&stay=0&delay=5&" + short[path])
				p.Click(`[data-testid="start-form"]`)
				p.WaitFor(`document.querySelector('[data-testid="run"]').dataset.state === 'ended'`, 2*patience)
				p.WaitFor(`document.querySelectorAll('[data-testid="fact"]').length > 0`, patience)
				tabs := browser.Eval[[]string](p, `[...document.querySelectorAll('[data-testid="stage"] [role=tab]')].map(e => e.dataset.testid)`)
				if len(tabs) < 3 || (network == "link") != slices.Contains(tabs, "tab-packets") && !strings.Contains(path, "slow") && !strings.Contains(path, "/packets") && !strings.Contains(path, "/port-mapping") {
					t.Errorf("the views are %v", tabs)
				}
				for _, tab := range tabs {
					p.Click(`[data-testid="` + tab + `"]`)
					view := strings.Replace(tab, "tab-", "view-", 1)
					p.WaitFor(`document.querySelectorAll('[data-testid="`+view+`"] :is(svg > *, tr, li, dt, canvas, [role=row])').length > 0`, patience)
				}
				for _, request := range p.Requests() {
					if !strings.HasPrefix(request, s.base) && !strings.HasPrefix(request, "data:") && !strings.HasPrefix(request, "blob:") {
						t.Errorf("loaded from outside: %s", request)
					}
				}
			})
		}
	}
}
