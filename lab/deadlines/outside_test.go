package deadlines_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// command types one of the lab's own commands into a shell.
func command(t *testing.T, ctx context.Context, r *labtest.Running, number int) string {
	t.Helper()
	for _, kind := range []string{"naive", "fixed"} {
		for _, name := range []string{"host", "port", "url", "events"} {
			r.Live(kind + "." + name)
		}
	}
	text, ok := r.Lab.Commands[number].Fill(r.Record.Live())
	if !ok {
		t.Fatalf("command %q can't be filled in", text)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", text)
	cmd.Env = append(os.Environ(), "no_proxy=*")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %s, %v", text, out, err)
	return string(out)
}

func TestCommandsFromOutside(t *testing.T) {
	t.Parallel()
	need.Tool(t, "nc", "netcat-openbsd")
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "show=stream&deadline=200&pace=50&polite=10&stay=100&duration=120")
	// Half a header is over by itself. It has to be the server that ends it.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if command(t, ctx, r, 0); ctx.Err() != nil {
		t.Error("the fixed server waits for ever for the rest of a header")
	}
	if out := command(t, t.Context(), r, 1); out != "Here you are.\n" {
		t.Errorf("with all places free: %q", out)
	}
	if n := strings.Count(command(t, t.Context(), r, 2), "data: "); n == 0 || n >= 9 {
		t.Errorf("%d events of the stream that is cut off", n)
	}
	if n := strings.Count(command(t, t.Context(), r, 3), "data: "); n != 9 {
		t.Errorf("%d events of the stream that is not cut off", n)
	}

	r.Act("drip")
	r.Until("all places of the naive server taken", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "naive/server" && strings.HasPrefix(e.Text, "4 of 4")
	})
	if out := command(t, t.Context(), r, 1); strings.Contains(out, "Here you are.") {
		t.Error("the naive server answered while its places are taken")
	}
	r.Stop()
}
