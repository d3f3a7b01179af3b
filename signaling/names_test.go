package signaling

import (
	"strings"
	"testing"

	"peerlab/signaling/envelope"
)

func TestNamesAreToldApart(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	long := strings.Repeat("é", envelope.MaxName)
	for _, c := range []struct{ asked, got string }{
		{"Ann", "Ann"},
		{"Ann", "Ann (2)"},
		{"Ann", "Ann (3)"},
		{"Ann (2)", "Ann (2) (2)"},
		{"server", "server (2)"},
		{long, long},
		{long, strings.Repeat("é", envelope.MaxName-4) + " (2)"},
	} {
		w, welcome := r.join(room, c.asked)
		if welcome.Self.Name != c.got {
			t.Errorf("%q joined as %q, want %q", c.asked, welcome.Self.Name, c.got)
		}
		if c.got == "Ann (3)" {
			w.send(`{"type":"bye"}`)
			w.closed(1000)
		}
	}
	if _, welcome := r.join(room, "Ann"); welcome.Self.Name != "Ann (3)" {
		t.Errorf("the name of who left is free: got %q", welcome.Self.Name)
	}
}
