package dnslab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// naive is the resolver that works on a good day.
type naive struct {
	*base
	pc net.PacketConn // the same port for every question

	mu    sync.Mutex // one question at a time
	id    uint16
	known map[cacheKey]*dns.Msg
}

// region naive

// lookup asks once, takes the first datagram that can be read, and remembers
// it. Four faults are in here: find them before you read on.
func (n *naive) lookup(_ context.Context, q dns.Question) (*dns.Msg, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.known[keyOf(q)]; m != nil {
		n.count(func(c *counts) { c.cached++ })
		return m.Copy(), true, nil
	}
	if err := n.attacked(n.pc); err != nil {
		return nil, false, err
	}
	n.id++
	query := newQuery(q, n.p.Datagram, false)
	query.Id = n.id
	if err := n.send(n.pc, query); err != nil {
		return nil, false, err
	}
	n.pc.SetReadDeadline(time.Now().Add(n.p.Wait))
	buf := make([]byte, dns.MaxMsgSize)
	for {
		size, from, err := n.pc.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, false, fmt.Errorf("%s %s: %w to one question", typeName(q.Qtype), q.Name, errSilent)
		}
		if err != nil {
			return nil, false, err
		}
		m := new(dns.Msg)
		if m.Unpack(buf[:size]) != nil {
			continue
		}
		record(n.run, n.whose(from), clientName, m, buf[:size], UDP)
		n.remember(q, m)
		return m, false, nil
	}
}

// verify believes what the owner of the address says.
func (n *naive) verify(ctx context.Context, addr netip.Addr) (name string, believed bool, err error) {
	m, _, err := n.lookup(ctx, pointer(addr))
	if err != nil {
		return "", false, err
	}
	names := pointers(m)
	if len(names) == 0 {
		return "", false, nil
	}
	return names[0], true, nil
}

// endregion

// remember keeps an answer for ever; of answers there can't be too many here,
// since visitors fill it too.
func (n *naive) remember(q dns.Question, m *dns.Msg) {
	if len(n.known) < maxEntries {
		n.known[keyOf(q)] = m.Copy()
	}
}

// whose is the lane that a datagram came from.
func (b *base) whose(from net.Addr) string {
	if host := b.run.HostOf(from); host != "" {
		return host
	}
	return b.server.lane
}

var _ resolver = (*naive)(nil)
