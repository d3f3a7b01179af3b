package netsim_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"peerlab/leaks"
	"peerlab/netsim"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// rig is a net of two hosts, a and b, whose packets are kept.
type rig struct {
	*testing.T
	net  *netsim.Net
	a, b *netsim.Host

	mu      sync.Mutex
	packets []netsim.Packet
}

// newRig makes the net; it is closed with the test.
func newRig(t *testing.T, cfg netsim.Config) *rig {
	t.Helper()
	r := &rig{T: t}
	cfg.Tap = func(p netsim.Packet) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.packets = append(r.packets, p)
	}
	n, err := netsim.New(cfg)
	if err != nil {
		t.Fatalf("making the net: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	r.net = n
	r.a, r.b = r.host("a"), r.host("b")
	return r
}

func (r *rig) host(name string) *netsim.Host {
	r.Helper()
	h, err := r.net.Host(name)
	if err != nil {
		r.Fatalf("adding host %s: %v", name, err)
	}
	return h
}

// seen is a copy of the packets so far.
func (r *rig) seen() []netsim.Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]netsim.Packet(nil), r.packets...)
}

// listen listens on b.
func (r *rig) listen(address string) net.Listener {
	r.Helper()
	l, err := r.b.Listen("tcp", address)
	if err != nil {
		r.Fatalf("listening: %v", err)
	}
	r.Cleanup(func() { _ = l.Close() })
	return l
}

// connect gives both ends of a connection from a to b.
func (r *rig) connect() (client, server netsim.Stream) {
	r.Helper()
	l := r.listen(":0")
	defer l.Close()
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			r.Errorf("accepting: %v", err)
		}
		accepted <- c
	}()
	c, err := r.a.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		r.Fatalf("dialling: %v", err)
	}
	s := <-accepted
	if s == nil {
		r.FailNow()
	}
	r.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	return c.(netsim.Stream), s.(netsim.Stream)
}
