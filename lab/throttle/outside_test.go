package throttle_test

import (
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

func TestCommandsFromOutsideAreLimitedToo(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "refill=0.5&burst=7&bandwidth=200&file=300&for=2&stay=100")
	if out := r.Command(0); !strings.Contains(out, "200 OK") || !strings.Contains(out, "X-Tokens-Left: 6") || !strings.Contains(out, "127.0.0.1") {
		t.Errorf("the first request of an outsider: %s", out)
	}
	begin := time.Now()
	codes := strings.Fields(r.Command(1))
	refilled := int(math.Ceil(time.Since(begin).Seconds() * 0.5))
	let := 0
	for _, code := range codes {
		if code == "200" {
			let++
		} else if code != "429" {
			t.Errorf("a status of %s", code)
		}
	}
	// 6 tokens were left or, as some time has passed since they were counted, 7.
	if len(codes) != 30 || let < 6 || let > 7+refilled {
		t.Errorf("let through %d of %v", let, codes)
	}
	out := r.Command(0)
	wait := regexp.MustCompile(`(?m)^Retry-After: ([0-9]+)\r?$`).FindStringSubmatch(out)
	if wait != nil {
		if s, err := strconv.Atoi(wait[1]); err != nil || s < 1 || s > 2 {
			t.Errorf("Retry-After: %s at half a token a second", wait[1])
		}
	} else if !strings.Contains(out, "200 OK") { // the loop above was slow
		t.Errorf("neither let through nor told when to come again: %s", out)
	}
	for range 10 {
		if out := r.Command(2); !strings.Contains(out, "200 OK") {
			t.Errorf("with another X-Forwarded-For: %s", out)
			break
		}
	}
	if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && e.To == "per-client/"+lab.Outside }); n == 0 {
		t.Error("outsiders are not in the record")
	}
	r.Stop()
}

func TestADownloadFromOutsideHasTheRateToo(t *testing.T) {
	need.Tool(t, "curl", "curl")
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Start(t, theLab(t), "part=bandwidth&bandwidth=200&file=300&stay=100")
		out, err := exec.CommandContext(t.Context(), "curl", "-s", "--noproxy", "*", "-o", os.DevNull, "-w", "%{speed_download} %{size_download}", r.Live("bandwidth.url")).Output()
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(out))
		speed, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || fields[1] != "300000" || speed < 120_000 || speed > 202_000 {
			t.Errorf("curl measured %s", out)
		}
		r.Stop()
	})
}
