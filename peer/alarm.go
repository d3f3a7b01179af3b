package peer

import "time"

// alarm runs something in the goroutine of its link after a time. Setting it
// again, or stopping it, takes back what was set before. Only that goroutine
// uses it.
type alarm struct {
	link *Link
	set  *alarmSet // nil while none is
}

type alarmSet struct{ timer *time.Timer }

func (a *alarm) after(d time.Duration, f func()) {
	a.stop()
	set := &alarmSet{}
	a.set = set
	set.timer = time.AfterFunc(d, func() {
		a.link.post(func() {
			if a.set == set { // not taken back while it was on its way
				a.set = nil
				f()
			}
		})
	})
}

func (a *alarm) stop() {
	if a.set != nil {
		a.set.timer.Stop()
		a.set = nil
	}
}

func (a *alarm) isSet() bool { return a.set != nil }
