package tcppool

import (
	"fmt"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// watch tells what becomes of the connections of one way: which place each has
// and what it is doing there.
type watch struct {
	run   *lab.Run
	queue bool // requests can wait in this way

	mu      sync.Mutex
	places  []*conn // nil: free
	dialled int
	waiting int
	retired map[string]int // why: how many
}

// dial gives a new connection its number and a place.
func (w *watch) dial(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialled++
	c.number = w.dialled
	c.born = time.Now()
	c.since = c.born
	w.placeLocked(nil, c)
	w.stateLocked(c, "new")
	w.run.Message(trace.TCP, appLane, backendLane, "connected", fmt.Sprintf("connection %d from %s", c.number, c.LocalAddr()))
}

// placeLocked puts to where from is; a nil from is the first free place.
func (w *watch) placeLocked(from, to *conn) {
	for i, c := range w.places {
		if c == from {
			w.places[i] = to
			return
		}
	}
	w.places = append(w.places, to)
}

func (w *watch) stateLocked(c *conn, what string) {
	for i, in := range w.places {
		if in == c {
			if what != "" {
				what = fmt.Sprintf("connection %d: %s", c.number, what)
			}
			w.run.State(trace.TCP, appLane, fmt.Sprintf("slot %d", i+1), what)
			return
		}
	}
}

func (w *watch) lent(c *conn, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stateLocked(c, "has "+to)
}

func (w *watch) idle(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stateLocked(c, "idle")
}

// retire counts that a pool closes a connection of itself.
func (w *watch) retire(c *conn, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retired[why]++
	w.stateLocked(c, why)
	w.run.Message(trace.TCP, appLane, backendLane, "closed", fmt.Sprintf("connection %d: %s", c.number, why))
}

func (w *watch) closed(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stateLocked(c, "")
	w.placeLocked(c, nil)
}

// wait counts who waits for a connection.
func (w *watch) wait(by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.queue {
		return
	}
	w.waiting += by
	w.run.Sample(trace.App, appLane, "waiting", float64(w.waiting), "requests")
}

// count returns how many were dialled and how many retired for that reason, in
// the whole run.
func (w *watch) count(why string) (dialled, retired int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dialled, w.retired[why]
}
