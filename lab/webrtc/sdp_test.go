package webrtc

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	for line, want := range map[string]string{
		"a=setup:active":              "its client",
		"a=candidate:1 1 udp 1 a 5 x": "a form that is not known",
		"a=candidate:1 1 udp 2130706431 192.168.1.2 5000 typ host":                               "machine itself: 192.168.1.2 port 5000",
		"a=candidate:1 1 udp 1694498815 203.0.113.1 5001 typ srflx raddr 192.168.1.2 rport 5001": "Inside it is 192.168.1.2 port 5001",
		"a=candidate:1 1 udp 16777215 203.0.113.9 50001 typ relay raddr 203.0.113.1 rport 5001":  "passes on to us: 203.0.113.9 port 50001",
		"a=candidate:1 2 udp 2130706431 192.168.1.2 5000 typ host":                               "second component",
		"a=candidate:1 1 udp 1 192.168.1.2 5000 typ other":                                       "unknown kind",
		"a=ssrc:1": "Not explained",
	} {
		if got := explain(line); !strings.Contains(got, want) {
			t.Errorf("%s: %q does not say %q", line, got, want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("a=candidate:1 1 udp 1694498815 203.0.113.1 5001 typ srflx raddr 192.168.1.2 rport 5001\r\nv=0")
	f.Fuzz(func(t *testing.T, sdp string) {
		for _, line := range linesOf(sdp) {
			if explain(line) == "" {
				t.Errorf("nothing is said of %q", line)
			}
		}
	})
}
