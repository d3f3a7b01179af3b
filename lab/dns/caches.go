package dnslab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// beforeMove is how many lookups there are before the name moves.
const beforeMove = 3

// caches has both look up, again and again, a name that moves in between.
func (s *stage) caches(ctx context.Context) error {
	return s.both(ctx, "a name that moved", func(ctx context.Context, t *twin) error { return t.watchMoving(ctx, s.p) })
}

func (t *twin) watchMoving(ctx context.Context, p Params) error {
	stale, last := 0, false
	var moved time.Time
	for i := range beforeMove + p.Lookups {
		if i == beforeMove {
			moved = time.Now()
			if err := t.move(); err != nil {
				return err
			}
		}
		old, err := t.lookMoving(ctx)
		if err != nil {
			return err
		}
		if last = old; old {
			stale++
		}
		if err := t.run.Sleep(ctx, p.Pace); err != nil {
			return err
		}
	}
	t.run.Fact("moved name: lookups with the old address", float64(stale), "lookups")
	switch {
	case p.Lookups == 0:
		t.grid.Cell("a name that moved", t.name, "not looked up since", nil)
		return nil
	case last && time.Since(moved) < p.TTL:
		t.cell("a name that moved", true, "has the old address of a name that moved, as it may for %s", p.TTL)
		return nil
	case last:
		t.cell("a name that moved", false, "still has the old address of a name that moved, after %d lookups", p.Lookups)
		return nil
	}
	t.cell("a name that moved", true, "has the new address of a name that moved, after %d lookups of %d with the old one", stale, p.Lookups)
	return nil
}

// lookMoving looks up the name that moves, and tells whether the answer is out
// of date.
func (t *twin) lookMoving(ctx context.Context) (old bool, err error) {
	q := question(movingName, dns.TypeA)
	m, cached, err := t.resolver.lookup(ctx, q)
	if err != nil {
		return false, err
	}
	got := ""
	for _, a := range addresses(m) {
		got = a.String()
	}
	source := "from the server"
	if cached && len(m.Answer) > 0 { // the naive one keeps whatever it was sent
		source = fmt.Sprintf("from the cache, which says %d s", m.Answer[0].Header().Ttl)
	}
	t.run.State(trace.DNS, clientName, movingName, got+" "+source)
	old = got != t.server.names().address(movingName)
	value := 0.0
	if old {
		value = 1
	}
	t.run.Sample(trace.DNS, clientName, "answers out of date", value, "")
	return old, nil
}

// serveCache lets visitors ask a resolver, so that its cache can be seen from
// outside: a name server that knows nothing itself (RFC 8499 calls it a
// forwarder). It looks up the run's own zones only.
func serveCache(t *twin) error {
	pc, err := t.client.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(pc.LocalAddr().String())
	if err != nil {
		return fmt.Errorf("address of the cache: %w", err)
	}
	t.run.Live("cache-port", fmt.Sprint(at.Port()))
	told := rate.NewLimiter(20, 60)
	t.run.Go(func(ctx context.Context) error {
		r := responder{most: t.server.most, ask: func(m *dns.Msg, q dns.Question, _ bool) { t.askCache(ctx, m, q) }}
		return serveUDP(pc, func(query []byte, from net.Addr) []byte {
			reply, asked, answer := r.reply(query, r.datagram(query, t.server.strange(from)))
			if reply != nil && asked != nil && told.Allow() {
				record(t.run, lab.Outside, clientName, asked, query, UDP)
				record(t.run, clientName, lab.Outside, answer, reply, UDP)
			}
			return reply
		})
	})
	return nil
}

func (t *twin) askCache(ctx context.Context, m *dns.Msg, q dns.Question) {
	m.RecursionAvailable = true
	if q.Qclass != dns.ClassINET || !dns.IsSubDomain(domain, q.Name) && !dns.IsSubDomain(arpa, q.Name) {
		m.Rcode = dns.RcodeRefused
		return
	}
	found, _, err := t.resolver.lookup(ctx, q)
	if err != nil {
		m.Rcode = dns.RcodeServerFailure
		return
	}
	m.Rcode, m.Truncated, m.Answer, m.Ns = found.Rcode, found.Truncated, found.Answer, found.Ns
}
