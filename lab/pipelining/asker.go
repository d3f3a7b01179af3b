package pipelining

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// way is one way to have several requests answered.
type way interface {
	// open has the connection ready before the clock starts.
	open(ctx context.Context) error
	// ask has requests 1 to n answered, and tells the asker of each answer.
	ask(ctx context.Context, n int) error
	close()
}

// asker wants all requests answered at the same moment, and takes down when
// they are.
type asker struct {
	p    Params
	run  *lab.Run
	name string
	host *lab.Host
	addr string // of the server
	way  way

	mu       sync.Mutex
	began    time.Time
	requests map[int]*request
	answered int
	dialled  int
	resent   int
	done     map[int]int // requests: how often the server carried them out
}

// request is one that is wanted.
type request struct {
	number int
	end    func(string)
	took   time.Duration // 0: no answer
	answer int           // to which request it was
	err    error
}

// ms is how long the server takes for a request.
func (a *asker) ms(number int) time.Duration {
	switch number {
	case 0:
		return 0
	case a.p.At:
		return a.p.Slow
	}
	return a.p.Fast
}

// path of a request: its number, and how long it is to take.
func (a *asker) path(number int) string {
	return fmt.Sprintf("/%d?ms=%d", number, a.ms(number).Milliseconds())
}

// dial opens a connection and counts it.
func (a *asker) dial(ctx context.Context) (net.Conn, error) {
	a.mu.Lock()
	a.dialled++
	a.mu.Unlock()
	return a.host.DialContext(ctx, "tcp", a.addr)
}

// round has all requests answered once.
func (a *asker) round(ctx context.Context) error {
	a.mu.Lock()
	a.requests, a.answered, a.resent, a.done = map[int]*request{}, 0, 0, map[int]int{}
	a.began = time.Now()
	for n := 1; n <= a.p.Requests; n++ {
		what := "request"
		if n == a.p.At {
			what = "slow request"
		}
		a.requests[n] = &request{number: n, end: a.run.Begin(trace.HTTP, "client", fmt.Sprintf("%s %d", what, n))}
	}
	a.mu.Unlock()
	a.run.Sample(trace.HTTP, "client", "answers", 0, "answers")
	err := a.way.ask(ctx, a.p.Requests)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	a.finish(err)
	a.facts()
	return nil
}

// sent takes down that a request has been handed to the connection.
func (a *asker) sent(number int) {
	if number > 0 {
		a.run.Message(trace.HTTP, "client", "server", "GET /"+strconv.Itoa(number), "")
	}
}

// again takes down that requests have to be sent once more.
func (a *asker) again(numbers []int) {
	a.mu.Lock()
	a.resent += len(numbers)
	a.mu.Unlock()
	a.run.Note("When the connection closed there was no answer to %s. They are GETs, so they may be sent again.",
		strings.Trim(fmt.Sprint(numbers), "[]"))
}

// answer takes down an answer that the client believes to be to this request.
// to is what the answer itself says.
func (a *asker) answer(number, to int) {
	a.mu.Lock()
	r := a.requests[number]
	if r == nil || r.took > 0 {
		a.mu.Unlock()
		return
	}
	r.took, r.answer = max(time.Since(a.began), 1), to
	a.answered++
	n := a.answered
	a.mu.Unlock()
	text := ""
	if to != number {
		text = fmt.Sprintf("the answer to request %d, taken for that to %d", to, number)
	}
	a.run.Message(trace.HTTP, "server", "client", "200 for /"+strconv.Itoa(to), text)
	a.run.Sample(trace.HTTP, "client", "answers", float64(n), "answers")
	r.end(text)
}

// failed takes down that a request will have no answer.
func (a *asker) failed(number int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.requests[number]; r != nil && r.err == nil && r.took == 0 {
		r.err = err
		r.end("no answer: " + reason(err))
	}
}

// finish ends what has no answer when a way has given up.
func (a *asker) finish(err error) {
	if err == nil {
		err = errors.New("the way ended without it")
	}
	for n := 1; n <= a.p.Requests; n++ {
		a.failed(n, err)
	}
}

// executed takes down that the server carries out a request.
func (a *asker) executed(number int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done != nil {
		a.done[number]++
	}
}

func (a *asker) close() { a.way.close() }

// reason is an error in a few words.
func reason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
