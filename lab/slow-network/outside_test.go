package slownetwork_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// curl types one of the lab's commands, as the page shows it, and returns the
// times curl measured: connected, first byte, all.
func curl(t *testing.T, r *labtest.Running, number int) (times []float64, out string, err error) {
	t.Helper()
	text, ok := r.Lab.Commands[number].Fill(r.Record.Live())
	if !ok {
		t.Fatalf("%q can't be filled in", text)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", text)
	cmd.Env = append(cmd.Environ(), "no_proxy=*", "LC_ALL=C")
	said, err := cmd.CombinedOutput()
	for _, n := range regexp.MustCompile(`[0-9]+\.[0-9]+`).FindAllString(string(said), -1) {
		f, _ := strconv.ParseFloat(n, 64) // it has matched
		times = append(times, f*1000)
	}
	return times, string(said), err
}

func downloaded(e trace.Event) bool {
	return e.Kind == trace.Note && strings.HasPrefix(e.Text, "The downloads are done")
}

func TestCurlMeasuresTheSame(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "stay=100&delay=200&jitter=0&loss=0&rate=1600&size=60")
	r.Until("the end of the downloads", downloaded)
	for number, want := range [][2]float64{{0, 0}, {400, 400}, {400, 600}} { // the last is 60 kB at 200 kB/s
		patiently(t, func(m *meter) {
			times, out, err := curl(t, r, number)
			if err != nil || len(times) != 3 {
				t.Fatalf("%s: %v", out, err)
			}
			m.near("connected", times[0], 0, 390)
			m.near("first byte", times[1], want[0], want[0]+490)
			m.near("all", times[2], want[1], want[1]+3000)
		})
	}
	if r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && e.To == "middleware/visitor" }) == 0 {
		t.Error("the visitor of middleware is not in the record")
	}
	r.Stop()
}

func TestButtonsWhileVisitorsLook(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "stay=100&delay=5&jitter=0&loss=0&rate=0&size=100&after=100")
	r.Until("the end of the downloads", downloaded)
	toxics := func(want string) {
		t.Helper()
		r.Until("toxics "+want, func(e trace.Event) bool {
			return e.Kind == trace.State && e.From == "toxiproxy/proxy" && e.Name == "toxics downstream" && strings.Contains(e.Text, want)
		})
	}
	code := func(want int) {
		t.Helper()
		_, out, err := curl(t, r, 2)
		got := 0
		if exit, ok := err.(*exec.ExitError); ok {
			got = exit.ExitCode()
		}
		if got != want {
			t.Errorf("curl ends with %d, want %d: %s", got, want, out)
		}
	}
	r.Act("add-timeout")
	toxics("timeout(timeout 100)")
	code(52) // empty reply
	r.Act("remove-toxics")
	toxics("none")
	code(0)
	r.Act("add-reset")
	toxics("reset_peer(timeout 100)")
	code(56) // connection reset
	r.Act("remove-toxics")
	r.Act("cut")
	r.Until("the cut", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "toxiproxy/proxy" && e.Name == "cut" && e.Text == "yes"
	})
	if _, _, err := curl(t, r, 2); err == nil {
		t.Error("curl gets through while it is cut")
	}
	r.Until("mending", func(e trace.Event) bool { return e.Kind == trace.Note && strings.HasPrefix(e.Text, "Mended") })
	code(0)
	r.Stop()
}

func TestACutIsTwoThings(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, cutInTwo)
}

func cutInTwo(t testing.TB) {
	var runs []*labtest.Running
	for _, network := range networks {
		r := labtest.Start(t, theLab(t), network+"&stay=0&delay=20&jitter=0&loss=0&rate=200&size=75") // 3 s
		for _, way := range []string{"toxiproxy", "link"} {
			r.Until("the first bytes of "+way, func(e trace.Event) bool {
				return e.Kind == trace.Sample && e.From == way+"/client" && e.Value > 0
			})
		}
		r.Act("cut")
		runs = append(runs, r)
	}
	for _, r := range runs {
		r.Wait()
		if got := r.Fact("toxiproxy", "received"); got >= 75 {
			t.Errorf("toxiproxy was cut and all %g kB came", got)
		}
		if got := r.Fact("link", "received"); got != 75 {
			t.Errorf("the link was cut for a second and %g of 75 kB came", got)
		}
		// Less than the second, by what is in the queue then and still comes; without
		// a cut a packet comes every 60 ms.
		if got := r.Fact("link", "longest silence"); got < 500 {
			t.Errorf("a silence of %g ms on the link that was cut for a second", got)
		}
		if outcome, why, _ := r.Status(); outcome != lab.Finished {
			t.Error(why)
		}
	}
}

func TestStoppingInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"rate=8&size=1000", "rate=8&slice=1000&gap=10000&size=500", "toxic=reset_peer&after=2000&rate=80", "toxic=timeout&after=2000&delay=2000"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			r := labtest.Start(t, theLab(t), query)
			r.Until("a connection through Toxiproxy", func(e trace.Event) bool {
				return e.From == "toxiproxy/proxy" && e.Name == "connected"
			})
			r.Act("remove-toxics")
			r.Act("add-timeout")
			r.Act("add-reset")
			r.Stop()
		})
	}
}
