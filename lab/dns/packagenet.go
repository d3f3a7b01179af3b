package dnslab

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/trace"
)

// goName is the host that asks by package net.
const goName = "package-net"

// asked counts how package net came to the server.
type asked struct {
	mu       sync.Mutex
	udp, tcp int
}

func (a *asked) dials() (udp, tcp int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.udp, a.tcp
}

// region net

// newNetResolver is the resolver of package net, sent to the lab's server in
// place of this machine's. There are two inside: one written in Go, which calls
// Dial, and the one of the C library, which goes its own way. PreferGo asks for
// the first.
func newNetResolver(h *lab.Host, preferGo bool, count *asked) *net.Resolver {
	return &net.Resolver{PreferGo: preferGo, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := h.DialContext(ctx, network, "server:53")
		if err != nil {
			return nil, err
		}
		count.mu.Lock()
		defer count.mu.Unlock()
		if strings.HasPrefix(network, "tcp") {
			count.tcp++
			return c, nil
		}
		count.udp++
		return packets{c}, nil
	}}
}

// packets tells package net that messages are datagrams here: it looks whether
// a connection is a net.PacketConn, and puts lengths before them if not.
type packets struct{ net.Conn }

// endregion

func (p packets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, p.RemoteAddr(), err
}

func (p packets) WriteTo([]byte, net.Addr) (int, error) { return 0, errors.ErrUnsupported }

var _ net.PacketConn = packets{}

// netPatience is how long a lookup by package net may take.
const netPatience = 4 * time.Second

// packageNet asks as most Go programs do.
func (s *stage) packageNet(ctx context.Context) error {
	run := s.careful.run
	host, err := run.Host(goName)
	if err != nil {
		return err
	}
	n := &asked{}
	r := newNetResolver(host, true, n)
	lookup := func(what string, f func(context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(ctx, netPatience)
		defer cancel()
		end := run.Begin(trace.DNS, goName, what)
		got, err := f(ctx)
		if err != nil {
			got = reason(err)
		}
		end(got)
		run.Note("package net, %s: %s.", what, got)
	}
	lookup("addresses of www.lab.test", func(ctx context.Context) (string, error) {
		got, err := r.LookupNetIP(ctx, "ip", "www."+domain)
		var all []string
		for _, a := range got {
			all = append(all, a.Unmap().String())
		}
		return strings.Join(all, ", "), err
	})
	udp, tcp := n.dials()
	run.Fact("package net: questions for one name", float64(udp+tcp), "questions")
	lookup("texts of big.lab.test", func(ctx context.Context) (string, error) {
		got, err := r.LookupTXT(ctx, bigName)
		run.Fact("package net: texts of 24", float64(len(got)), "texts")
		return lab.Plural(len(got), "text"), err
	})
	_, tcp = n.dials()
	run.Fact("package net: connections by TCP", float64(tcp), "connections")
	s.whichOne(ctx, host)
	if s.p.Real != "" {
		s.real(ctx)
	}
	return ctx.Err()
}

// whichOne finds out whether package net, left alone, asks by Go's resolver or
// by the C library: only the first calls Dial.
func (s *stage) whichOne(ctx context.Context, host *lab.Host) {
	run, n := s.careful.run, &asked{}
	ctx, cancel := context.WithTimeout(ctx, netPatience)
	defer cancel()
	begin := time.Now()
	_, err := newNetResolver(host, false, n).LookupNetIP(ctx, "ip4", "www."+domain)
	took := time.Since(begin).Round(time.Millisecond)
	built := "built with cgo"
	if !cgo {
		built = "built without cgo, so that there is no other one"
	}
	if udp, tcp := n.dials(); udp+tcp > 0 {
		run.Note("Without PreferGo this program, %s, used Go's resolver here too. Which one it is depends on the files /etc/resolv.conf and /etc/nsswitch.conf of this machine.", built)
		return
	}
	if err != nil {
		run.Note("Without PreferGo this program, %s, went past Dial to the C library, which knows nothing of the lab's server: %s after %s.", built, reason(err), took)
	}
}

// real looks a name up as this machine is set up, in both ways.
func (s *stage) real(ctx context.Context) {
	run := s.careful.run
	for _, way := range []struct {
		name     string
		preferGo bool
	}{{"Go's resolver", true}, {"as the system would have it", false}} {
		ctx, cancel := context.WithTimeout(ctx, netPatience)
		end := run.Begin(trace.DNS, goName, s.p.Real+", "+way.name)
		begin := time.Now()
		got, err := (&net.Resolver{PreferGo: way.preferGo}).LookupNetIP(ctx, "ip", s.p.Real)
		took := time.Since(begin)
		cancel()
		var all []string
		for _, a := range got {
			if _, ok := guard.Public.Allow(a.Unmap()); !ok {
				all = append(all, "an address that is not public, and not shown")
				continue
			}
			all = append(all, a.Unmap().String())
		}
		text := strings.Join(all, ", ")
		if err != nil {
			text = reason(err)
		} else {
			run.Fact("real name, "+way.name, lab.Milliseconds(took), "ms")
		}
		end(text)
		run.Note("%s, %s: %s.", s.p.Real, way.name, text)
	}
}
