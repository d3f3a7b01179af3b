package web_test

import (
	"context"
	"testing"
	"testing/fstest"

	"peerlab/lab"
)

// A run knows whether it was started from this very machine; a proxy in between
// is reason enough to doubt it.
func TestARunKnowsItsOwner(t *testing.T) {
	told := make(chan bool, 1)
	l, err := lab.New(lab.Info{
		Slug: "whose", Title: "Whose", Chapter: "Probes", Ask: "Whose run is it?",
		Files: fstest.MapFS{"lab.md": {Data: []byte(probeLesson)}, "lab.go": {Data: []byte("package whose\n\n// region loop\nfor {\n}\n// endregion\n")}},
	}, func(_ context.Context, _ struct{}, r *lab.Run) error {
		told <- r.Owner() && r.Variant("naive").Owner()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f := startLabs(t, func(c *lab.Config) { c.Labs = []*lab.Lab{l} })
	for _, c := range []struct {
		name   string
		header []string
		owner  bool
	}{
		{"this machine", nil, true},
		{"through a proxy", []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"by another name", []string{"Host", "peerlab.example"}, false},
	} {
		f.ask("POST", "/labs/whose/runs", "", c.header...).want(t, 303)
		if owner := <-told; owner != c.owner {
			t.Errorf("%s: owner %v", c.name, owner)
		}
	}
}
