package pipelining

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// kilobyte is 1000 bytes, as for every size on a network.
const kilobyte = 1000

// longest is how long anybody may have the server take.
const longest = 3 * time.Second

// answerTo is the header by which an answer says which request it is to. A
// client that pairs by order does not look at it; we do.
const answerTo = "X-Answer-To"

// job is a request as the server understands it.
type job struct {
	number  int
	takes   time.Duration
	outside bool // asked by a visitor
}

// read understands a request: /3?ms=10.
func (a *asker) read(req *http.Request, from net.Addr) (job, error) {
	number, err := strconv.ParseUint(strings.TrimPrefix(req.URL.Path, "/"), 10, 16)
	if err != nil {
		return job{}, errors.New("the path is not a number, like /3?ms=10")
	}
	j := job{number: int(number), outside: a.run.HostOf(from) == ""}
	if text := req.URL.Query().Get("ms"); text != "" {
		ms, err := strconv.ParseUint(text, 10, 16)
		if j.takes = time.Duration(ms) * time.Millisecond; err != nil || j.takes > longest {
			return job{}, fmt.Errorf("ms is not a number from 0 to %d", longest.Milliseconds())
		}
	}
	return j, nil
}

// work is the server's for a request.
func (a *asker) work(ctx context.Context, j job) error {
	if j.outside || j.number == 0 {
		return a.run.Sleep(ctx, j.takes)
	}
	a.executed(j.number)
	end := a.run.Begin(trace.HTTP, "server", "work on "+strconv.Itoa(j.number))
	err := a.run.Sleep(ctx, j.takes)
	if err != nil {
		end("given up")
		return err
	}
	end("")
	return nil
}

// connKey is where a connection's context has its connState.
type connKey struct{}

// connState is what the server knows of a connection.
type connState struct {
	from    net.Addr
	answers atomic.Int32
}

// last tells whether the answer now being written is to be the last one on
// this connection. The one that opens a connection does not count.
func (a *asker) last(c *connState, j job) bool {
	return a.p.Close > 0 && !j.outside && j.number > 0 && c.answers.Add(1) == int32(a.p.Close)
}

// serve opens net/http's own server, for HTTP/1.1 and HTTP/2 without TLS.
func (a *asker) serve(host *lab.Host) (addr string, err error) {
	l, err := a.listen(host)
	if err != nil {
		return "", err
	}
	told := rate.NewLimiter(10, 30)
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c := req.Context().Value(connKey{}).(*connState)
		j, err := a.read(req, c.from)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if j.outside && told.Allow() {
			a.run.Message(trace.HTTP, lab.Outside, "server", req.Method+" "+req.URL.Path, req.Proto)
		}
		if err := a.work(req.Context(), j); err != nil {
			return // who asked has gone
		}
		w.Header().Set(answerTo, strconv.Itoa(j.number))
		w.Header().Set("Content-Length", strconv.Itoa(a.p.Size*kilobyte))
		if a.last(c, j) {
			w.Header().Set("Connection", "close") // HTTP/2 makes it a GOAWAY
		}
		w.Write(make([]byte, a.p.Size*kilobyte)) // an error is that of who went away
	})
	srv := &http.Server{
		Handler: handler, Protocols: protocols(true, true), MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, &connState{from: c.RemoteAddr()})
		},
	}
	a.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return l.Addr().String(), nil
}

// listen opens the server's socket and tells outsiders where it is.
func (a *asker) listen(host *lab.Host) (net.Listener, error) {
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("address of the listener: %w", err)
	}
	a.run.State(trace.TCP, "server", "listens on", at.String())
	a.run.Live("host", at.Addr().String())
	a.run.Live("port", strconv.Itoa(int(at.Port())))
	a.run.Live("url", "http://"+at.String()+"/")
	return l, nil
}
