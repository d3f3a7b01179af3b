package throttle

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The clients of every variant.
const (
	steady = "steady" // as often as allowed, evenly
	bursty = "bursty" // as often as allowed on average, but all at once
	greedy = "greedy" // far more often, saying each time it is somebody else
)

// plan is when a client asks: n at a time, every so often.
type plan struct {
	n     int
	every time.Duration
	forge bool // a new X-Forwarded-For each time
}

// plan of a client by its name; any other than the three is a latecomer.
func (s *service) plan(name string) plan {
	gap := time.Duration(float64(time.Second) / s.p.Rate)
	switch name {
	case steady:
		return plan{n: 1, every: gap}
	case bursty:
		clump := 2 * s.p.Burst
		return plan{n: clump, every: time.Duration(clump) * gap}
	case greedy:
		return plan{n: 1, every: time.Duration(float64(gap) / s.p.Greed), forge: true}
	}
	return plan{n: 1, every: 2 * gap}
}

// asker is a client that sends requests and counts the answers.
type asker struct {
	name   string
	run    *lab.Run
	client *http.Client
	tally  tally
	slots  chan struct{} // requests on their way

	mu     sync.Mutex
	forged int
}

// maxWaiting is how many requests of one client can be on their way: the
// biggest burst there is. What would be more is not sent, and counted.
const maxWaiting = 100

func newAsker(r *lab.Run, name string) (*asker, error) {
	c, err := client(r, name)
	if err != nil {
		return nil, err
	}
	return &asker{name: name, run: r, client: c, slots: make(chan struct{}, maxWaiting)}, nil
}

// ask follows the plan from begin to end, whatever the answers are, and waits
// for the last of them. A clump that is late is sent at once and does not put
// off the next one, so that the number sent depends on the plan alone.
func (a *asker) ask(ctx context.Context, p plan, begin, end time.Time) {
	var answers group
	due := time.NewTimer(0)
	defer due.Stop()
	for at := begin; at.Before(end); at = at.Add(p.every) {
		due.Reset(time.Until(at))
		select {
		case <-due.C:
			a.tally.late(time.Since(at))
			a.send(p, &answers)
		case <-ctx.Done():
			at = end
		}
	}
	_ = answers.wait(ctx) // each request has told what went wrong with it
	a.client.CloseIdleConnections()
}

// send sends one clump of requests without waiting for the answers.
func (a *asker) send(p plan, answers *group) {
	for range p.n {
		select {
		case a.slots <- struct{}{}:
		default:
			a.tally.skip()
			continue
		}
		answers.run(a.run, func(ctx context.Context) error {
			defer func() { <-a.slots }()
			if err := a.request(ctx, p.forge); err != nil && ctx.Err() == nil {
				a.tally.fail()
				a.run.Message(trace.HTTP, a.name, "server", "no answer", err.Error())
			}
			return nil
		})
	}
}

// request asks once and counts the answer.
func (a *asker) request(ctx context.Context, forge bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", nil)
	if err != nil {
		return err
	}
	text := ""
	if forge {
		address := a.nobody()
		req.Header.Set("X-Forwarded-For", address)
		text = "X-Forwarded-For: " + address
	}
	a.run.Message(trace.HTTP, a.name, "server", "GET /", text)
	asked := time.Now()
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	a.tally.took(time.Since(asked))
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 when it is not there
	text = ""
	if resp.StatusCode == http.StatusTooManyRequests {
		text = "Retry-After: " + strconv.Itoa(seconds)
	}
	a.run.Message(trace.HTTP, "server", a.name, strconv.Itoa(resp.StatusCode), text)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusTooManyRequests:
		a.tally.add(resp.StatusCode == http.StatusOK, time.Duration(seconds)*time.Second)
		return nil
	}
	return fmt.Errorf("the server answered %s", resp.Status)
}

// nobody makes up one address after the other.
func (a *asker) nobody() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forged++
	return fmt.Sprintf("10.%d.%d.%d", a.forged>>16&255, a.forged>>8&255, a.forged&255)
}
