package multiplexing

import (
	"testing"
	"time"
)

func TestARoundWithoutAllAnswersIsNeverTheFirst(t *testing.T) {
	const ms = time.Millisecond
	whole := &way{rounds: []round{{last: 80 * ms}, {last: 90 * ms}, {last: 70 * ms}}}
	broken := &way{rounds: []round{{last: 10 * ms, failed: 1}, {last: 5 * ms, failed: 2}, {last: 20 * ms}}}
	if got := whole.over(last); got != 80*ms {
		t.Errorf("the median of 70, 80 and 90 ms is %s", got)
	}
	if got := broken.over(last); got != never {
		t.Errorf("a way on which two rounds of three failed had all answers after %s", got)
	}
	median := ofAnswers(func(r round) time.Duration { return r.median })
	if got := (&way{rounds: []round{{failed: 12}}}).over(median); got != never {
		t.Errorf("one answer of none came after %s", got)
	}
}
