package fasthttp

import (
	"strings"
	"testing"

	"peerlab/lab"
)

func TestWhatIsFasterIsSoInEachRound(t *testing.T) {
	standard := []float64{100, 50, 100}
	for _, c := range []struct {
		fast []float64
		tone lab.Tone
		text string
	}{
		{[]float64{200, 80, 150}, lab.Good, "fasthttp is 1.50 to 2.00 times"},
		{[]float64{80, 25, 50}, lab.Warn, "net/http is 1.25 to 2.00 times"},
		{[]float64{80, 80, 200}, lab.Warn, "neither is faster in every round (fasthttp is 0.80 to 2.00 times"},
	} {
		if tone, text := compare(standard, c.fast); tone != c.tone || !strings.HasPrefix(text, c.text) {
			t.Errorf("%v: %s: %s", c.fast, tone, text)
		}
	}
}
