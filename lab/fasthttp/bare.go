package fasthttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// rounds is how often something is counted: the smallest result counts, as
// other parts of this process can only add to it.
const rounds = 3

// region bare

// bare asks by a client that makes nothing: the same bytes for every request,
// one buffer for every answer. What is allocated meanwhile is the server's.
func bare(ctx context.Context, p Params, _ *lab.Run, both [2]*server) error {
	for round := range rounds {
		for i := range both {
			if err := both[(i+round)%2].ask(ctx, p.Bare); err != nil {
				return err
			}
		}
	}
	for _, s := range both {
		s.run.Fact("allocations a request, server", s.allocs, "")
		s.run.Fact("bytes allocated a request, server", s.allocBytes, "B")
		s.run.Fact("one after the other on one connection", slices.Max(s.bareRates), "requests/s")
	}
	return nil
}

// ask sends n requests one after the other, and counts.
func (s *server) ask(ctx context.Context, n int) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request := []byte("GET / HTTP/1.1\r\nHost: server\r\n\r\n")
	answer := make([]byte, len(s.answer)+1024)
	length := 0 // of a whole answer: they are all the same
	one := func() error {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if length > 0 {
			_, err := io.ReadFull(conn, answer[:length])
			return err
		}
		var got int
		for !bytes.HasSuffix(answer[:got], s.answer) {
			m, err := conn.Read(answer[got:])
			if err != nil {
				return err
			}
			got += m
		}
		length = got
		return nil
	}
	if err := one(); err != nil { // the first one makes the connection's buffers
		return fmt.Errorf("ask %s: %w", s.name, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	asked := 0
	for ; asked < n && time.Since(began) < patience; asked++ {
		if err := one(); err != nil {
			return fmt.Errorf("ask %s: %w", s.name, err)
		}
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	allocs := float64(after.Mallocs-before.Mallocs) / float64(asked)
	if len(s.bareRates) == 0 || allocs < s.allocs {
		s.allocs, s.allocBytes = allocs, float64(after.TotalAlloc-before.TotalAlloc)/float64(asked)
	}
	s.bareRates = append(s.bareRates, float64(asked)/took.Seconds())
	return nil
}

// endregion

// idle holds connections open that have asked once, and weighs them: both
// their ends, as both are in this process. The middle one of some weighings
// counts; what else goes on in this process can add to it and take away.
func idle(ctx context.Context, p Params, r *lab.Run, both [2]*server) error {
	if p.Idle == 0 {
		return nil
	}
	for _, s := range both {
		var weights []float64
		for range rounds {
			weight, err := s.weigh(ctx, p.Idle)
			if err != nil {
				return err
			}
			weights = append(weights, weight)
		}
		slices.Sort(weights)
		s.run.Fact("an idle connection weighs", weights[len(weights)/2]/1000, "kB")
	}
	r.Sample(trace.App, "", "memory of this process", residentMB(), "MB")
	r.Fact("memory of this process", residentMB(), "MB")
	return nil
}

// weigh returns how many bytes each of n idle connections takes.
func (s *server) weigh(ctx context.Context, n int) (float64, error) {
	var conns []io.Closer
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	answer := make([]byte, len(s.answer)+1024)
	before := inUse()
	for range n {
		conn, err := s.dial(ctx)
		if err != nil {
			return 0, err
		}
		conns = append(conns, conn)
		conn.SetDeadline(time.Now().Add(patience))
		if _, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: server\r\n\r\n"); err == nil {
			_, err = io.ReadAtLeast(conn, answer, len(s.answer))
		}
		if err != nil {
			return 0, fmt.Errorf("ask %s: %w", s.name, err)
		}
	}
	return (inUse() - before) / float64(n), nil
}

// inUse is the memory for objects and stacks that is in use, in bytes.
func inUse() float64 {
	runtime.GC()
	runtime.GC() // what was in a pool goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}

// residentMB is the memory of this process that the system counts as resident, in MB.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / 1e6
}
