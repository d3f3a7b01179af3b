package natmatrix_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/trace"

	natmatrix "peerlab/lab/nat-matrix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func theLab(t testing.TB) *lab.Lab {
	t.Helper()
	l, err := natmatrix.Lab()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=1&pace=100&delay=5") }

// known is the table that people have in their heads: whether a pair connects
// by STUN alone.
func known(a, b natmatrix.Kind) bool {
	blocked := a == natmatrix.UDPBlocked || b == natmatrix.UDPBlocked
	strict := func(k natmatrix.Kind) bool { return k == natmatrix.PortRestricted || k == natmatrix.Symmetric }
	symmetric := a == natmatrix.Symmetric || b == natmatrix.Symmetric
	return !blocked && (!symmetric || !strict(a) || !strict(b))
}

// cells are the last values of the cells of a variant, by row and column.
func cells(r *labtest.Running, variant string) map[string]string {
	all := map[string]string{}
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && e.Attrs[trace.GridAttr] != "" {
			if row, ok := strings.CutPrefix(e.From, variant+"/"); ok {
				all[row+" "+e.Name] = e.Text
			}
		}
	}
	return all
}

func TestTheTableIsTheKnownOne(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "show=table&delay=5&duration=120")
		stun, turn := cells(r, "stun"), cells(r, "turn")
		direct, failed := 0, 0
		for _, a := range natmatrix.Kinds {
			for _, b := range natmatrix.Kinds {
				key, want := fmt.Sprintf("%s %s", a, b), "failed"
				if known(a, b) {
					want = "direct"
					direct++
				} else {
					failed++
				}
				if got := stun[key]; !strings.HasPrefix(got, want) {
					t.Errorf("%s with STUN alone: %q, want %s", key, got, want)
				}
				if want == "failed" {
					want = "relayed"
				}
				if got := turn[key]; !strings.HasPrefix(got, want) {
					t.Errorf("%s with TURN: %q, want %s", key, got, want)
				}
			}
		}
		for fact, want := range map[string][2]int{"direct": {direct, direct}, "failed": {failed, 0}, "relayed": {0, failed}, "as the rule says": {36, 36}} {
			if a, b := r.Fact("stun", fact), r.Fact("turn", fact); a != float64(want[0]) || b != float64(want[1]) {
				t.Errorf("%s: %g and %g pairs, want %v", fact, a, b, want)
			}
		}
	})
}
