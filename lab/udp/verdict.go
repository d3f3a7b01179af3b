package udp

import (
	"fmt"
	"strings"

	"peerlab/lab"
)

// verdict collects what a program's scenes came to.
type verdict struct {
	faults, merits []string
}

func (v *verdict) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}
func (v *verdict) merit(format string, args ...any) {
	v.merits = append(v.merits, fmt.Sprintf(format, args...))
}

// tell says it in a sentence: the faults if there are any.
func (v *verdict) tell(r *lab.Run) {
	switch {
	case len(v.faults) > 0:
		r.Verdict(lab.Bad, "%s.", sentence(v.faults))
	case len(v.merits) > 0:
		r.Verdict(lab.Good, "%s.", sentence(v.merits))
	}
}

func sentence(parts []string) string {
	text := strings.Join(parts, "; ")
	return strings.ToUpper(text[:1]) + text[1:]
}
