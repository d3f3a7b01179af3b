package listendial

import (
	"fmt"
	"strings"

	"peerlab/lab"
)

// verdict collects what a variant's scenes came to.
type verdict struct{ faults, merits []string }

func (v *verdict) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func (v *verdict) merit(format string, args ...any) {
	v.merits = append(v.merits, fmt.Sprintf(format, args...))
}

// tell says it in a sentence: the faults if there are any.
func (v *verdict) tell(r *lab.Run) {
	tone, parts := lab.Bad, v.faults
	if len(parts) == 0 {
		tone, parts = lab.Good, v.merits
	}
	if len(parts) == 0 {
		return
	}
	text := strings.Join(parts, "; ")
	r.Verdict(tone, "%s.", strings.ToUpper(text[:1])+text[1:])
}
