package lab

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// owners know which host of a run dialled from a local address of this machine.
// A listener may accept before the dialler has heard of its own address, and
// a dial may stay without an answer for long: so the sockets of dials that go on are
// asked, and none is waited for.
type owners struct {
	mu     sync.Mutex
	hosts  map[string]string // by local address
	oldest []string          // the keys of hosts, in their order
	dials  map[*dial]struct{}
}

// dial is one that has begun and not ended.
type dial struct {
	host   string
	socket syscall.RawConn
}

// maxOwners bounds how many dialled connections are remembered. They outlive
// the connection, which may be over before its listener asks who that was.
const maxOwners = 4096

func newOwners() *owners {
	return &owners{hosts: map[string]string{}, dials: map[*dial]struct{}{}}
}

// dial connects for a host.
func (o *owners) dial(ctx context.Context, host, network, address string) (net.Conn, error) {
	begun := &dial{host: host}
	d := net.Dialer{Control: func(_, _ string, socket syscall.RawConn) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		begun.socket = socket
		o.dials[begun] = struct{}{}
		return nil
	}}
	c, err := d.DialContext(ctx, network, address)
	if err == nil {
		o.own(c.LocalAddr(), host)
	}
	o.mu.Lock()
	delete(o.dials, begun)
	o.mu.Unlock()
	return c, err
}

// own remembers whose the local address a is.
func (o *owners) own(a net.Addr, host string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := key(a.Network(), a.String())
	if _, known := o.hosts[k]; !known {
		if len(o.oldest) == maxOwners {
			delete(o.hosts, o.oldest[0])
			o.oldest = o.oldest[1:]
		}
		o.oldest = append(o.oldest, k)
	}
	o.hosts[k] = host
}

// of is the host that dialled, or dials, from the local address a; empty for
// somebody from outside.
func (o *owners) of(a net.Addr) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if host, known := o.hosts[key(a.Network(), a.String())]; known {
		return host
	}
	for d := range o.dials {
		if at, err := localAddr(d.socket); err == nil && at.String() == a.String() {
			return d.host
		}
	}
	return ""
}
