package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
)

// onlyForFigures skips what measures and judges nothing, unless PEERLAB_BENCH
// is set. The results are in the log, as tables.
func onlyForFigures(t *testing.T) {
	t.Helper()
	if os.Getenv("PEERLAB_BENCH") == "" {
		t.Skip("it only measures: set PEERLAB_BENCH=1, or make bench")
	}
}

// median of some figures, of which there is at least one.
func median[T time.Duration | float64](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// table aligns rows, of which the first has the names of the columns.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteByte('\n')
		for i, cell := range row {
			fmt.Fprintf(&b, "  %*s", widths[i], cell)
		}
	}
	return b.String()
}

// TestBenchJoinToOpen measures how long it takes two command-line peers from
// knowing of each other to open channels, and how long from starting a program.
func TestBenchJoinToOpen(t *testing.T) {
	onlyForFigures(t)
	p := newPair(t)
	rows := [][]string{{"path", "runs", "negotiation", "best", "worst", "from exec"}}
	for _, c := range []struct {
		path  string
		nat   netlab.NAT
		noUDP bool
	}{{"direct, cone and cone", netlab.Cone, false}, {"relay, symmetric and symmetric", netlab.Symmetric, false}, {"relay over TCP, no UDP", netlab.Cone, true}} {
		for _, router := range p.routers {
			router.SetNAT(c.nat)
			router.BlockUDP(c.noUDP)
		}
		const runs = 11
		var negotiation, all []time.Duration
		for range runs {
			link := p.link()
			ann := startChatter(t, p.hosts[0], link, "ann")
			ann.joined(p.server)
			began := time.Now()
			ben := startChatter(t, p.hosts[1], link, "ben")
			ben.WaitLine(`^· ann: connecting`, patience)
			met := time.Now()
			ben.WaitLine(`^· ann: connected`, 2*patience)
			negotiation, all = append(negotiation, time.Since(met)), append(all, time.Since(began))
			ann.Kill()
			ben.Kill()
		}
		rows = append(rows, []string{c.path, fmt.Sprint(runs), ms(median(negotiation)), ms(slices.Min(negotiation)), ms(slices.Max(negotiation)), ms(median(all))})
	}
	t.Log(table(rows))
}

// joined waits until the chatter is in the room, which is the only one that is
// not empty.
func (c *chatter) joined(s *server) {
	c.t.Helper()
	before := s.metrics()["peerlab_peers"]
	eventually(c.t, "somebody to join", patience, func() bool { return s.metrics()["peerlab_peers"] > before })
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000) }
