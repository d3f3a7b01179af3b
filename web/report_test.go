package web_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"peerlab/lab"
	"peerlab/trace"
)

// tellingLab has a run with all that a report tells.
func tellingLab(t *testing.T) *lab.Lab {
	t.Helper()
	type params struct {
		Count int  `lab:"count" label:"Messages" default:"3" min:"1" max:"9" unit:"messages"`
		Loud  bool `lab:"loud" label:"Loud"`
	}
	l, err := lab.New(lab.Info{
		Slug: "telling", Title: "A telling run", Chapter: "Probes", Ask: "What is told?",
		Files: fstest.MapFS{"lab.md": {Data: []byte("Nothing.\n")}},
	}, func(_ context.Context, _ params, r *lab.Run) error {
		r.Verdict(lab.Warn, "not yet")
		r.Variant("naive").State(trace.App, "server", "listens", "yes") // and so comes first
		r.Variant("fixed").Fact("time", 12.5, "ms")
		r.Variant("naive").Fact("time", 1234.5, "ms")
		r.Fact("answers", 3, "datagrams")
		r.Cell("full cone", "open", "direct 0.31 s", nil)
		r.Cell("full cone", "symmetric", "…", nil)
		r.Cell("symmetric", "symmetric", "failed", nil)
		r.Cell("full cone", "symmetric", "relayed 0.9 s", nil)
		r.Message(trace.App, "a", "b", "hello", "")
		r.Note("two\nlines \u202eturned")
		r.Verdict(lab.Bad, "%d failed", 1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReport(t *testing.T) {
	f := startLabs(t, func(c *lab.Config) { c.Labs = append(c.Labs, tellingLab(t)) })
	path := f.ask("POST", "/labs/telling/runs", "count=4&network=link&delay=7").Header.Get("Location")
	f.settled(path)
	got := f.get(path + ".txt")
	got.want(t, 200, "A telling run\nWhat is told?\n", "ended by itself.\n", "network between the hosts is emulated",
		"\nBad: 1 failed\n",
		"\n  time     naive  1234 ms\n           fixed  12.5 ms\n  answers         3 datagrams\n",
		"\n             open           symmetric\n  full cone  direct 0.31 s  relayed 0.9 s\n  symmetric  –              failed\n",
		"  Messages  4 messages\n", "  Loud      off\n", "7 ms", "two lines  turned\n")
	if kind := got.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q", kind)
	}
	id := strings.TrimPrefix(path, "/runs/")
	if strings.Contains(got.body, id) || strings.Contains(got.Header.Get("Content-Disposition"), id) {
		t.Error("the report tells the run's address")
	}
	if strings.Contains(got.body, "Mind: not yet") {
		t.Error("a verdict that was replaced is told as one")
	}
	f.get(path).want(t, 200, `href="`+path+`.txt"`, `data-copy-from="`+path+`.txt"`)

	loopback := f.run("how=badly")
	f.settled(loopback)
	report := f.get(loopback + ".txt")
	report.want(t, 200, "failed: connection refused by <somebody>.\n", "Words     a < b\n")
	if strings.Contains(report.body, "Delay") || strings.Contains(report.body, "emulated") {
		t.Error("the report of a run on the loopback tells of the link")
	}
	running := f.run("wait=60000")
	f.get(running+".txt").want(t, 200, "still going on.\n")
}
