package deadlines

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// column is a server with one timeout or none.
type column struct {
	name string
	set  func(srv *http.Server, d time.Duration)
}

var columns = []column{
	{"no timeout", func(*http.Server, time.Duration) {}},
	{"ReadHeaderTimeout", func(s *http.Server, d time.Duration) { s.ReadHeaderTimeout = d }},
	{"ReadTimeout", func(s *http.Server, d time.Duration) { s.ReadTimeout = d }},
	{"WriteTimeout", func(s *http.Server, d time.Duration) { s.WriteTimeout = d }},
	{"IdleTimeout", func(s *http.Server, d time.Duration) { s.IdleTimeout = d }},
}

// watched is how long a case is looked at, in deadlines and beside two round trips; slowWork is how long
// a slow handler takes.
const (
	watched  = 3
	slowWork = 2
)

// table measures every timeout of http.Server against everything that a client
// can be slow at.
type table struct {
	run   *lab.Run
	p     Params
	host  *lab.Host       // of the client
	over  <-chan struct{} // closed when the run is over
	watch time.Duration   // how long a case is looked at

	mu    sync.Mutex
	conns map[string]*seen // by column and address of the client
	ended map[string]int   // by column: cases that were ended
	open  int              // without any timeout: still open in the end
}

// seen is what the server tells of one connection.
type seen struct {
	closed  chan struct{}
	once    sync.Once
	handler string // how a slow handler fared
}

func openTable(ctx context.Context, r *lab.Run, p Params) (*table, error) {
	t := &table{run: r, p: p, over: ctx.Done(), watch: watched*p.Deadline + 2*trip(r), conns: map[string]*seen{}, ended: map[string]int{}}
	var err error
	if t.host, err = r.Host(client); err != nil {
		return nil, err
	}
	for _, col := range columns {
		l, err := listen(r, ":"+port(col))
		if err != nil {
			return nil, err
		}
		srv := &http.Server{Handler: t.handler(col), ConnState: func(c net.Conn, now http.ConnState) {
			if s := t.seen(col, c.RemoteAddr()); s != nil && now == http.StateClosed {
				s.once.Do(func() { close(s.closed) })
			}
		}}
		col.set(srv, p.Deadline)
		serve(r, srv, l)
	}
	return t, nil
}

// seen finds what is known of the connection from that address; nil if it is
// from outside.
func (t *table) seen(col column, from net.Addr) *seen {
	if t.run.HostOf(from) == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := col.name + " " + from.String()
	s := t.conns[key]
	if s == nil {
		s = &seen{closed: make(chan struct{})}
		t.conns[key] = s
	}
	return s
}

// handler answers what the cases ask for.
func (t *table) handler(col column) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("/body", func(w http.ResponseWriter, req *http.Request) {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			http.Error(w, ending(err), http.StatusRequestTimeout)
		}
	})
	mux.HandleFunc("/work", func(w http.ResponseWriter, req *http.Request) {
		addr, err := net.ResolveTCPAddr("tcp", req.RemoteAddr)
		if err != nil {
			return
		}
		s := t.seen(col, addr)
		if s == nil {
			return
		}
		began, told := time.Now(), "its context did not end meanwhile"
		select { // as most handlers, it does not look at its context
		case <-time.After(slowWork * t.p.Deadline):
		case <-t.over:
		}
		if req.Context().Err() != nil {
			told = "its context had ended by then"
		}
		t.mu.Lock()
		s.handler = fmt.Sprintf("worked for %.0f ms; %s", lab.Milliseconds(time.Since(began)), told)
		t.mu.Unlock()
		io.WriteString(w, "done\n")
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		io.Copy(w, io.LimitReader(zeros{}, message))
	})
	return mux
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// measure does all cases on all servers at once.
func (t *table) measure(ctx context.Context) error {
	var all []func(context.Context) error
	for _, c := range cases {
		for _, col := range columns {
			t.run.Cell(c.name, col.name, "", nil) // the order of the table
			all = append(all, func(ctx context.Context) error { return t.try(ctx, c, col) })
		}
	}
	if err := t.run.Together(ctx, all...); err != nil {
		return err
	}
	for _, col := range columns {
		t.run.Fact("cases ended with "+col.name, float64(t.ended[col.name]), "cases")
	}
	most := 0
	for _, n := range t.ended {
		most = max(most, n)
	}
	t.run.Verdict(lab.Warn, "No single timeout ends all %d ways of being slow: the best of them ended %d. Without any, %d were still open when we stopped watching.",
		len(cases), most, t.open)
	return nil
}

// answer is what a client read.
type answer struct {
	status int
	after  time.Duration
}

// try does one case on one server, and watches it until the server ends it or
// the time for watching is over.
func (t *table) try(ctx context.Context, c kase, col column) error {
	conn, err := t.host.DialContext(ctx, "tcp", server+":"+port(col))
	if err != nil {
		return err
	}
	defer conn.Close()
	s := t.seen(col, conn.LocalAddr())
	t.run.Cell(c.name, col.name, "…", nil)
	end := t.run.Begin(trace.HTTP, client, c.name+", "+col.name)
	theirs, cancel := context.WithTimeout(ctx, t.watch)
	defer cancel()
	began := time.Now()
	answers := make(chan answer, 1)
	if c.reads {
		t.run.Go(func(context.Context) error {
			defer close(answers)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				answers <- answer{resp.StatusCode, time.Since(began)}
				resp.Body.Close()
			}
			return nil
		})
	}
	t.run.Go(func(context.Context) error {
		c.send(theirs, t, conn)
		return nil
	})

	var got answer
	var closed time.Duration
	select {
	case <-s.closed:
		closed = time.Since(began)
		if c.reads {
			select { // what was sent before the end may be on its way
			case got = <-answers:
			case <-theirs.Done():
			}
		}
	case <-theirs.Done():
		select {
		case got = <-answers:
		default:
		}
	}
	if ctx.Err() != nil {
		end("the run is over")
		return ctx.Err()
	}
	end(t.tell(c, col, s, got, closed))
	return nil
}

// tell records what was seen of a case and returns it in words.
func (t *table) tell(c kase, col column, s *seen, got answer, closed time.Duration) (what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended := closed > 0
	switch {
	case c.answer && got.status > 0:
		what = fmt.Sprintf("%d after %.0f ms", got.status, lab.Milliseconds(got.after))
		ended = got.status >= 400
	case closed > 0 && c.answer:
		what = fmt.Sprintf("no answer, closed after %.0f ms", lab.Milliseconds(closed))
	case closed > 0:
		what = fmt.Sprintf("closed after %.0f ms", lab.Milliseconds(closed))
	default:
		what = fmt.Sprintf("open after %.0f ms", lab.Milliseconds(t.watch))
		if col.name == columns[0].name {
			t.open++
		}
	}
	more := map[string]string{"the client": c.what}
	if s.handler != "" {
		more["the handler"] = s.handler
	}
	if ended {
		t.ended[col.name]++
	}
	t.run.Cell(c.name, col.name, what, more)
	return what
}

// port is where the server of a column listens.
func port(col column) string {
	return strconv.Itoa(80 + slices.IndexFunc(columns, func(c column) bool { return c.name == col.name }))
}
