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

	"peerlab/lab"
)

// Names of the hosts of each variant, besides the server.
const (
	clientName = "client"
	forgerName = "forger"
)

// resolver finds answers: what the two variants have in common.
type resolver interface {
	// lookup answers from the cache or the server.
	lookup(ctx context.Context, q dns.Question) (m *dns.Msg, cached bool, err error)
	// verify says what an address is called, and whether that is to be believed.
	verify(ctx context.Context, addr netip.Addr) (name string, believed bool, err error)
	// underAttack has f called with the address of the socket before each
	// question, as if somebody knew it.
	underAttack(f func(at net.Addr) error)
	// counted tells what happened so far.
	counted() counts
}

// counts are what a resolver did.
type counts struct {
	sent, again, fellBack, cached int
	refused, wrongSource, wrongID int
}

// base is what both resolvers are made of.
type base struct {
	run    *lab.Run
	p      Params
	host   *lab.Host
	server place
	at     net.Addr // of the server, by UDP

	mu     sync.Mutex
	counts counts
	attack func(at net.Addr) error
}

func (b *base) underAttack(f func(at net.Addr) error) {
	b.mu.Lock()
	b.attack = f
	b.mu.Unlock()
}

func (b *base) attacked(pc net.PacketConn) error {
	b.mu.Lock()
	f := b.attack
	b.mu.Unlock()
	if f == nil {
		return nil
	}
	own, err := netip.ParseAddrPort(pc.LocalAddr().String())
	if err != nil {
		return fmt.Errorf("own address: %w", err)
	}
	return f(net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.host.Addr(), own.Port())))
}

func (b *base) counted() counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

func (b *base) count(f func(*counts)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.counts)
}

// careful is the resolver that lasts.
type careful struct {
	*base
	cache *cache
}

// errSilent is for a server that does not answer.
var errSilent = errors.New("no answer")

// newQuery makes the message for a question, with a random id. The size is what
// we take by UDP; without one every answer of more than 512 bytes is cut.
func newQuery(q dns.Question, size int, secure bool) *dns.Msg {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: dns.Id(), RecursionDesired: true}, Question: []dns.Question{q}}
	return m.SetEdns0(uint16(size), secure)
}

func (c *careful) lookup(ctx context.Context, q dns.Question) (*dns.Msg, bool, error) {
	if m, ok := c.cache.get(q); ok {
		c.count(func(n *counts) { n.cached++ })
		return m, true, nil
	}
	m, err := c.exchange(ctx, q, false)
	if err != nil {
		return nil, false, err
	}
	c.cache.put(q, m)
	return m, false, nil
}

// region careful

// exchange asks by UDP, again if nothing comes, and by TCP if the answer says
// that it is not complete.
func (c *careful) exchange(ctx context.Context, q dns.Question, secure bool) (*dns.Msg, error) {
	for try := range c.p.Tries {
		if try > 0 {
			c.count(func(n *counts) { n.again++ })
		}
		m, err := c.datagram(ctx, newQuery(q, c.p.Datagram, secure))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			continue // the question or its answer is lost, and nobody will tell us
		case err != nil:
			return nil, err
		case m.Truncated:
			c.count(func(n *counts) { n.fellBack++ })
			return c.stream(ctx, newQuery(q, c.p.Datagram, secure))
		}
		return m, nil
	}
	return nil, fmt.Errorf("%s %s: %w to %d questions", typeName(q.Qtype), q.Name, errSilent, c.p.Tries)
}

// datagram asks once, from a socket of its own: another port each time.
func (c *careful) datagram(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	pc, err := c.host.ListenPacket("udp", ":0")
	if err != nil {
		return nil, err
	}
	defer pc.Close()
	if err := c.attacked(pc); err != nil {
		return nil, err
	}
	if err := c.send(pc, query); err != nil {
		return nil, err
	}
	pc.SetReadDeadline(time.Now().Add(c.p.Wait))
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return nil, err
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:n]); err != nil {
			c.refuse(query, nil, from, errForm)
			continue
		}
		if err := isAnswer(query, c.at, m, from); err != nil {
			c.refuse(query, m, from, err) // and the deadline stays what it is
			continue
		}
		record(c.run, c.server.lane, clientName, m, buf[:n], UDP)
		return m, nil
	}
}

// endregion

// send packs a query and sends it by UDP.
func (b *base) send(pc net.PacketConn, query *dns.Msg) error {
	packed, err := query.Pack()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if _, err := pc.WriteTo(packed, b.at); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	b.count(func(n *counts) { n.sent++ })
	record(b.run, clientName, b.server.lane, query, packed, UDP)
	return nil
}

// stream asks by TCP, where a message may be as long as it has to be.
func (c *careful) stream(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.p.Tries)*c.p.Wait)
	defer cancel()
	w := newWay(TCP, c.server)
	defer w.close()
	c.count(func(n *counts) { n.sent++ })
	return ask(ctx, c.run, c.server.lane, w, TCP, query)
}

// refuse counts a datagram that is no answer, by each thing that is wrong with it.
func (c *careful) refuse(q, m *dns.Msg, from net.Addr, why error) {
	first := false
	c.count(func(n *counts) {
		first = n.refused == 0
		n.refused++
		if from.String() != c.at.String() {
			n.wrongSource++
		}
		if m != nil && m.Id != q.Id {
			n.wrongID++
		}
	})
	if first {
		c.run.Note("A datagram from %s is not taken for the answer: %v. Others of this kind are counted.", from, why)
	}
}

// ask sends a query on a way and records both messages. The connection is ours,
// so whatever comes on it must answer the question.
func ask(ctx context.Context, r *lab.Run, lane string, w way, over Transport, query *dns.Msg) (*dns.Msg, error) {
	packed, err := query.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	record(r, clientName, lane, query, packed, over)
	reply, err := w.exchange(ctx, packed)
	if err != nil {
		return nil, fmt.Errorf("by %s: %w", over, err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		return nil, fmt.Errorf("by %s: %w: %w", over, errForm, err)
	}
	record(r, lane, clientName, m, reply, over)
	if !m.Response || m.Id != query.Id || !sameQuestion(query, m) && m.Rcode != dns.RcodeFormatError {
		return nil, fmt.Errorf("by %s: %w", over, errNotOurs)
	}
	return m, nil
}

// verify looks up the name of an address and then the addresses of that name.
func (c *careful) verify(ctx context.Context, addr netip.Addr) (string, bool, error) {
	return confirm(ctx, c, addr)
}

var _ resolver = (*careful)(nil)
