package dnslab

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// trust puts both to the test: answers that are not complete, forged, claimed
// or altered.
func (s *stage) trust(ctx context.Context) error {
	addr, err := netip.ParseAddr(s.p.Address)
	if err != nil {
		return err
	}
	for _, test := range []struct {
		what string
		do   func(context.Context, *twin) error
	}{
		{"a large answer", func(ctx context.Context, t *twin) error { return t.completeness(ctx) }},
		{"whose address", func(ctx context.Context, t *twin) error { return t.claims(ctx, addr) }},
		{"an altered record", func(ctx context.Context, t *twin) error { return t.alterations(ctx) }},
		{"a forged answer", func(ctx context.Context, t *twin) error { return t.forgeries(ctx, s.p.Forged) }},
	} {
		if err := s.both(ctx, test.what, test.do); err != nil {
			return err
		}
	}
	return nil
}

// completeness asks for more than a datagram holds.
func (t *twin) completeness(ctx context.Context) error {
	m, _, err := t.resolver.lookup(ctx, question(bigName, dns.TypeTXT))
	if err != nil {
		return err
	}
	got := len(m.Answer)
	t.run.Fact("big answer: records of 24", float64(got), "records")
	t.run.Fact("questions by TCP after a truncated answer", float64(t.resolver.counted().fellBack), "questions")
	if got < bigRecords {
		t.cell("a large answer", false, "has %d of %d records of a large answer and does not know it", got, bigRecords)
		return nil
	}
	t.cell("a large answer", true, "has %d of %d records of a large answer", got, bigRecords)
	return nil
}

// claims asks what an address is called.
func (t *twin) claims(ctx context.Context, addr netip.Addr) error {
	name, believed, err := t.resolver.verify(ctx, addr)
	if err != nil {
		return err
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		t.cell("whose address", true, "finds no name for %s", addr)
		return nil
	}
	// The judge here is the zone itself.
	holds := t.server.has(name, addr)
	value := 0.0
	if believed && !holds {
		value = 1
	}
	t.run.Fact("false names believed", value, "names")
	switch {
	case believed && !holds:
		t.cell("whose address", false, "believes that %s is %s, as it says itself", addr, name)
	case believed:
		t.cell("whose address", true, "believes that %s is %s, since both say so", addr, name)
	default:
		t.cell("whose address", true, "does not believe that %s is %s, which has other addresses", addr, name)
	}
	return nil
}

// has tells whether the name has the address, for sure.
func (s *server) has(name string, addr netip.Addr) bool {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m := new(dns.Msg)
		s.ask(m, question(name, qtype), false)
		if slices.Contains(addresses(m), addr) {
			return true
		}
	}
	return false
}

// alterations asks for a record that is not as it was signed.
func (t *twin) alterations(ctx context.Context) error {
	c, ok := t.resolver.(*careful)
	if !ok {
		m, _, err := t.resolver.lookup(ctx, question(alteredName, dns.TypeA))
		if err != nil {
			return err
		}
		t.cell("an altered record", false, "takes the altered address %s", addressOf(m))
		return nil
	}
	keys, err := c.exchange(ctx, question(domain, dns.TypeDNSKEY), true)
	if err != nil {
		return err
	}
	anchor := t.server.names().anchor()
	t.run.Note("The anchor, known beforehand: %s. It is the hash of the zone's key.", content(anchor))
	hold := 0
	for _, q := range []dns.Question{
		question(domain, dns.TypeDNSKEY), question("host."+domain, dns.TypeA),
		question("nowhere."+domain, dns.TypeA), question(alteredName, dns.TypeA),
	} {
		m, err := c.exchange(ctx, q, true)
		if err != nil {
			return err
		}
		records := m.Answer
		if len(records) == 0 {
			records = m.Ns
		}
		err = validate(records, keys.Answer, anchor)
		if err == nil && m.Rcode == dns.RcodeNameError {
			err = deniedBy(m.Ns, q.Name)
		}
		if err != nil {
			t.run.Note("%s %s: not proven, %v. What it says is not used.", typeName(q.Qtype), q.Name, err)
			if q.Name == alteredName {
				t.cell("an altered record", true, "refuses an altered record, as its signature is of something else")
			}
			continue
		}
		hold++
		t.run.Note("%s %s: proven, %s.", typeName(q.Qtype), q.Name, outcome(m))
	}
	t.run.Fact("answers of 4 whose signatures hold", float64(hold), "answers")
	if hold != 3 {
		t.cell("an altered record", false, "could prove %d answers, of which 3 can be", hold)
	}
	return nil
}

func addressOf(m *dns.Msg) string {
	for _, a := range addresses(m) {
		return a.String()
	}
	return "(none)"
}

// forgeries has somebody else answer first.
func (t *twin) forgeries(ctx context.Context, count int) error {
	if count == 0 {
		return nil
	}
	before := t.resolver.counted()
	t.resolver.underAttack(func(at net.Addr) error { return t.forger.forge(at, count) })
	m, _, err := t.resolver.lookup(ctx, question(t.forger.name, dns.TypeA))
	t.resolver.underAttack(nil)
	if err != nil {
		return err
	}
	n := t.resolver.counted()
	t.run.Fact("forged answers refused", float64(n.refused-before.refused), "datagrams")
	t.run.Fact("of them with another id than asked", float64(n.wrongID-before.wrongID), "datagrams")
	believed := addressOf(m) == forgedAddress
	value := 0.0
	if believed {
		value = 1
	}
	t.run.Fact("forged answers believed", value, "answers")
	if believed {
		t.cell("a forged answer", false, "sends people to %s, as a forger wants it", forgedAddress)
		return nil
	}
	t.cell("a forged answer", true, "refuses %d forged answers and takes the true one", n.refused-before.refused)
	return nil
}
