package e2e

import (
	"net"
	"testing"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

// natMapping has a page measure the NAT before its browser, with the module that labs use.
const natMapping = `(async (servers) => {
	const page = document.querySelector('script[type=module]').src;
	const { measureNAT } = await import(new URL('../net/natbehavior.js', page));
	return (await measureNAT(servers)).mapping;
})`

// A browser tells cone from symmetric behind real NATs, and a wall from both.
func TestABrowserMeasuresItsNAT(t *testing.T) {
	lab := netlab.New(t)
	server := lab.WAN.Host("server")
	s := startServer(t, server)
	router := lab.WAN.Router("home", netlab.Cone)
	p := browser.Launch(t, browser.Config{Host: router.LAN.Host("guest")}).Page(t)
	p.Open(s.base)
	ip := server.Addr().String()
	measure := func(want string) {
		t.Helper()
		servers := `["stun:` + net.JoinHostPort(ip, "3478") + `","stun:` + net.JoinHostPort(ip, "3479") + `"]`
		if got := browser.Eval[string](p, natMapping+"("+servers+")"); got != want {
			t.Errorf("the browser finds %s, want %s", got, want)
		}
	}
	measure("not-port-dependent")
	router.SetNAT(netlab.Symmetric)
	measure("address-and-port-dependent")
	router.BlockUDP(true)
	measure("udp-blocked")
	router.BlockUDP(false)
	router.SetNAT(netlab.Cone)
	measure("not-port-dependent")

	// And by the button of a run: a row of its own, and a light.
	run := s.startRun("nat-type", "stay=60&servers=two-addresses")
	p.Open(s.base + run.path)
	p.Click(`[data-testid="measure-browser"]`)
	p.WaitFor(`document.querySelector('[data-testid="visitor-said"]').textContent.includes('same port')`, patience)
	p.WaitFor(`document.querySelector('[data-testid="verdicts"]').textContent.includes('browser-1')`, patience)
	p.Click(`[data-testid="tab-matrix"]`)
	p.WaitFor(`document.querySelector('[data-testid="view-matrix"]').textContent.includes('browser-1')`, patience)
	run.stop()
}
