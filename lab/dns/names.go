package dnslab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// names shows what is in the answers: short names, aliases, and two kinds of no.
func (s *stage) names(ctx context.Context) error {
	if err := s.short(ctx); err != nil {
		return err
	}
	if err := s.chain(ctx); err != nil {
		return err
	}
	return s.denials(ctx)
}

// short looks a short name up by the search list, and then by its whole name.
func (s *stage) short(ctx context.Context) error {
	t := s.careful
	for i, name := range candidates(s.p.Short, s.p.suffixes(), s.p.Ndots) {
		m, _, err := t.resolver.lookup(ctx, question(name, dns.TypeA))
		if err != nil {
			return err
		}
		t.run.Fact("short name: questions", float64(i+1), "questions")
		if len(m.Answer) > 0 {
			t.run.Note("%q is %s, found at the question number %d. With the whole name it would have been one.", s.p.Short, name, i+1)
			return nil
		}
	}
	t.run.Note("%q is nowhere in the search list.", s.p.Short)
	return nil
}

// chain follows aliases.
func (s *stage) chain(ctx context.Context) error {
	t := s.careful
	m, _, err := t.resolver.lookup(ctx, question("www."+domain, dns.TypeA))
	if err != nil {
		return err
	}
	var way []string
	aliases := 0
	for _, rr := range m.Answer {
		way = append(way, fmt.Sprintf("%s (%d s)", content(rr), rr.Header().Ttl))
		if rr.Header().Rrtype == dns.TypeCNAME {
			aliases++
		}
	}
	t.run.Note("www.lab.test leads to %s. The whole may be kept as long as the shortest of it.", strings.Join(way, ", then "))
	t.run.Fact("www: aliases", float64(aliases), "aliases")
	t.run.Fact("www: may be kept", lifetime(m).Seconds(), "s")
	ring, _, err := t.resolver.lookup(ctx, question("ring-a."+domain, dns.TypeA))
	if err != nil {
		return err
	}
	t.run.Note("ring-a.lab.test is an alias of ring-b, which is an alias of ring-a. The server went round once: %d records, no address.", len(ring.Answer))
	return nil
}

// denials asks twice for what there is not.
func (s *stage) denials(ctx context.Context) error {
	t := s.careful
	for _, no := range []struct {
		q    dns.Question
		mean string
	}{
		{question("nowhere."+domain, dns.TypeA), "there is no such name"},
		{question("host."+domain, dns.TypeMX), "the name is there, and has nothing of this type"},
	} {
		m, _, err := t.resolver.lookup(ctx, no.q)
		if err != nil {
			return err
		}
		before := t.resolver.counted().sent
		if _, _, err := t.resolver.lookup(ctx, no.q); err != nil {
			return err
		}
		t.run.Note("%s %s: %s, which means that %s. It may be kept for %s.", typeName(no.q.Qtype), no.q.Name, outcome(m), no.mean, lifetime(m).Round(time.Second))
		t.run.Fact(outcome(m)+": may be kept", lifetime(m).Seconds(), "s")
		t.run.Fact(outcome(m)+": questions for the second time", float64(t.resolver.counted().sent-before), "questions")
	}
	return nil
}
