package natmatrix

import (
	"context"
	"fmt"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/nat"
)

// atOnce is how many pairs of the table are measured at a time: each is a small
// internet of its own, and they share the processor.
const atOnce = 4

// looks is how often a pair is measured that comes out otherwise than by the
// rule, each time but the first alone: that it was crowded out is no finding.
const looks = 3

// cell is one pair of the table.
type cell struct {
	grid  *lab.Run // where it is drawn
	relay Relay
	a, b  Kind
	look  int // how often it was measured before
}

// table measures every pair of kinds. Nothing is assumed: also b with a is
// measured when a with b was.
func (p Params) table(ctx context.Context, r *lab.Run) error {
	var cells []cell
	for _, relay := range p.relays() {
		for _, a := range Kinds {
			for _, b := range Kinds {
				c := cell{grid: p.variant(r, relay), relay: relay, a: a, b: b}
				c.grid.Cell(string(a), string(b), "", nil)
				cells = append(cells, c)
			}
		}
	}
	score := newTally()
	work := make(chan cell)
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range atOnce {
		workers.Add(1)
		r.Go(func(context.Context) error {
			defer workers.Done()
			for c := range work {
				if err := p.fill(ctx, r, c, score); err != nil {
					cancel(err)
				}
			}
			return nil
		})
	}
	for _, c := range cells {
		select {
		case work <- c:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	for c, left := score.doubtful(); left && ctx.Err() == nil; c, left = score.doubtful() {
		if err := p.fill(ctx, r, c, score); err != nil {
			return err
		}
	}
	score.facts()
	return context.Cause(ctx)
}

// region cell

// fill measures one pair on an internet of its own and writes its cell.
func (p Params) fill(ctx context.Context, r *lab.Run, c cell, score *tally) error {
	c.grid.Cell(string(c.a), string(c.b), "…", nil)
	link := r.Settings().Link()
	s := p.setup(c.relay)
	s.a.kind, s.b.kind = c.a, c.b
	alone := r.VariantOnLink(fmt.Sprintf("%s-%s-%s-%d", c.relay, c.a, c.b, c.look), lab.Emulation{Link: link, Quiet: true})
	sc, err := newScene(ctx, alone, s)
	if err != nil {
		return err
	}
	defer sc.close()
	pr, err := newPair(sc, patience(link), silent{})
	if err != nil {
		return err
	}
	out, err := pr.connect(ctx)
	sc.close() // before the agents: what they still gather ends with it
	pr.close()
	if err != nil {
		return err
	}
	rule := sc.predict()
	c.grid.Cell(string(c.a), string(c.b), out.text(), map[string]string{"why": rule.Rule, "by rule": string(rule.Outcome), "candidates": out.candidates()})
	score.add(c, out, rule)
	return nil
}

// endregion

// text is what stands in the cell.
func (o outcome) text() string {
	if o.kind == nat.Fails {
		return string(o.kind)
	}
	return fmt.Sprintf("%s %.2f s", o.kind, o.took.Seconds())
}

func (o outcome) candidates() string {
	if o.local == "" {
		return "none"
	}
	return o.local + " to " + o.remote
}

// tally counts what came out.
type tally struct {
	mu     sync.Mutex
	begin  time.Time
	grids  map[*lab.Run]*counts
	order  []*lab.Run
	doubts []cell // to be measured again
}

type counts struct {
	by               map[nat.Outcome]int
	agree, against   int
	again            int           // pairs measured more than once: against the rule at first
	longest, waiting time.Duration // until connected; until given up
}

func newTally() *tally { return &tally{begin: time.Now(), grids: map[*lab.Run]*counts{}} }

// add counts what a pair came to, unless it is against the rule and can be
// measured again.
func (t *tally) add(c cell, out outcome, rule nat.Prediction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.grids[c.grid]
	if n == nil {
		n = &counts{by: map[nat.Outcome]int{}}
		t.grids[c.grid] = n
		t.order = append(t.order, c.grid)
	}
	if c.look++; c.look == 2 {
		n.again++
	}
	if out.kind != rule.Outcome && c.look < looks {
		c.grid.Note("%s with %s: measured %s, though by the rule it is %s. It is measured again, alone: a busy machine makes packets late.", c.a, c.b, out.text(), rule.Outcome)
		t.doubts = append(t.doubts, c)
		return
	}
	n.by[out.kind]++
	if out.kind == nat.Fails {
		n.waiting = max(n.waiting, out.took)
	} else {
		n.longest = max(n.longest, out.took)
	}
	if rule.Outcome == out.kind {
		n.agree++
		return
	}
	n.against++
	c.grid.Note("%s with %s: measured %s, the last of %d times, though by the rule it is %s. %s", c.a, c.b, out.text(), c.look, rule.Outcome, rule.Rule)
}

// doubtful takes a pair that is to be measured again.
func (t *tally) doubtful() (c cell, left bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.doubts) == 0 {
		return c, false
	}
	c, t.doubts = t.doubts[0], t.doubts[1:]
	return c, true
}

// facts tells what was counted, and the verdict.
func (t *tally) facts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, grid := range t.order {
		n := t.grids[grid]
		grid.Fact("direct", float64(n.by[nat.Connects]), "pairs")
		grid.Fact("relayed", float64(n.by[nat.Relayed]), "pairs")
		grid.Fact("failed", float64(n.by[nat.Fails]), "pairs")
		grid.Fact("as the rule says", float64(n.agree), "pairs")
		grid.Fact("measured again", float64(n.again), "pairs")
		grid.Fact("slowest connection", n.longest.Seconds(), "s")
		tone := lab.Good
		if n.by[nat.Fails] > 0 || n.against > 0 {
			tone = lab.Warn
		}
		again := ""
		if n.again > 0 { // or nobody would know that only these had another chance
			again = fmt.Sprintf(" %s came out against it at first and had up to %d more tries, alone; the last one counts.", lab.Plural(n.again, "pair"), looks-1)
		}
		grid.Verdict(tone, "%d pairs connect directly, %d by the relay, and %d not at all; %d of %d as the rule of mapping and filtering says.%s Measured in %.1f s.",
			n.by[nat.Connects], n.by[nat.Relayed], n.by[nat.Fails], n.agree, n.agree+n.against, again, time.Since(t.begin).Seconds())
	}
}
