package nat

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	seen := netip.MustParseAddrPort("198.51.100.7:40000")
	server := stunServer(t, func(r *stun.Message, _ netip.AddrPort) [][]byte { return [][]byte{success(t, r, seen)} })
	carrier := newRouter()
	carrier.external = "100.64.3.2"
	for _, test := range []struct {
		router *router
		want   VerdictKind
	}{{newRouter(), SingleNAT}, {carrier, CGNAT}} {
		c, err := NewChecker(CheckerConfig{STUNServers: []string{server.String()}, Discoverer: startRouter(t, test.router, "WANIPConnection:1")})
		if err != nil {
			t.Fatal(err)
		}
		report := c.Check(t.Context())
		if report.Verdict.Kind != test.want || report.STUN != seen || report.Gateway == nil || report.UPnPError+report.STUNError != "" {
			t.Errorf("report %+v, want %s", report, test.want)
		}
		if report.Took <= 0 || report.Took > 2*time.Second {
			t.Errorf("took %v", report.Took)
		}
	}
}

func TestCheckOfSilenceIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	finder := loopbackFinder(ssdpResponder(t, func(string) string { return "" }))
	c, err := NewChecker(CheckerConfig{STUNServers: []string{stunServer(t, silent).String()}, Discoverer: finder})
	if err != nil {
		t.Fatal(err)
	}
	var report Report
	within(t, checkTime+500*time.Millisecond, func() { report = c.Check(t.Context()) })
	if report.Verdict.Kind != Unknown || report.Gateway != nil || report.STUN.IsValid() ||
		!strings.Contains(report.UPnPError, "no UPnP gateway") || !strings.Contains(report.STUNError, "no STUN answer") {
		t.Errorf("report %+v", report)
	}
	text, err := json.Marshal(report)
	if err != nil || strings.Contains(string(text), `"stun"`) || strings.Contains(string(text), `"gateway"`) {
		t.Errorf("as JSON: %s, %v; what is not known is left out", text, err)
	}
}

func TestCheckerConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]CheckerConfig{
		"no Discoverer":       {},
		"9 STUN servers":      {Discoverer: finds(), STUNServers: make([]string, 9)},
		`STUN server "x:y:z"`: {Discoverer: finds(), STUNServers: []string{"x:y:z"}},
	} {
		if _, err := NewChecker(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	c, err := NewChecker(CheckerConfig{Discoverer: finds()})
	if err != nil {
		t.Fatal(err)
	}
	if report := c.Check(t.Context()); !strings.Contains(report.STUNError, "no STUN server is configured") {
		t.Errorf("report %+v", report)
	}
}
