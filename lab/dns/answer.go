package dnslab

import (
	"slices"

	"github.com/miekg/dns"
)

// region answer

// answer fills m with what the zone knows about q: records, an alias and what
// is behind it, or a "no" with the record that says for how long. There are
// two kinds of no. NXDOMAIN: there is no such name. NOERROR without an answer,
// called NODATA: the name exists, but has nothing of this type.
func (z *zone) answer(m *dns.Msg, q dns.Question, secure bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	m.Authoritative = true
	name, seen := q.Name, map[string]bool{}
	for dns.IsSubDomain(z.origin, name) && !seen[dns.CanonicalName(name)] {
		seen[dns.CanonicalName(name)] = true
		owner := z.owner(name)
		sets := z.sets[owner]
		if q.Qtype == dns.TypeANY && len(sets) > 0 {
			m.Answer = append(m.Answer, minimal(q.Name))
			return
		}
		if set := sets[q.Qtype]; set != nil {
			z.add(m, name, owner, set, secure)
			return
		}
		alias := sets[dns.TypeCNAME]
		if alias == nil {
			z.deny(m, name, owner, secure)
			return
		}
		z.add(m, name, owner, alias, secure)
		name = alias[0].(*dns.CNAME).Target
	}
}

// owner is where the records for a name are: at the name, or at the wildcard
// beside the closest name above it that exists (RFC 4592). It is empty if
// there is none.
func (z *zone) owner(name string) string {
	name = dns.CanonicalName(name)
	if z.exists(name) {
		return name
	}
	if wild := "*." + z.encloser(name); z.sets[wild] != nil {
		return wild
	}
	return ""
}

// endregion

// minimal answers a question for everything there is at a name, which would be
// much, with next to nothing (RFC 8482 section 4.2).
func minimal(name string) dns.RR {
	return &dns.HINFO{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: 60}, Cpu: "RFC8482"}
}

func (z *zone) exists(name string) bool { return z.sets[name] != nil || z.above[name] }

// encloser is the closest name above name that exists.
func (z *zone) encloser(name string) string {
	for name = parent(dns.CanonicalName(name)); len(name) > len(z.origin) && !z.exists(name); name = parent(name) {
	}
	return name
}

// add appends records to the answer, and their signature for who wants it.
func (z *zone) add(m *dns.Msg, name, owner string, set []dns.RR, secure bool) {
	m.Answer = append(m.Answer, named(set, name)...)
	if sig := z.sigs[owner][set[0].Header().Rrtype]; secure && sig != nil {
		m.Answer = append(m.Answer, named([]dns.RR{sig}, name)...)
		if owner != dns.CanonicalName(name) { // a wildcard: nothing closer exists
			z.prove(m, name)
		}
	}
}

// deny says no: the zone's SOA record, with the time that a no may be kept
// (RFC 2308 section 3), and for who wants it the proof.
func (z *zone) deny(m *dns.Msg, name, owner string, secure bool) {
	if owner == "" {
		m.Rcode = dns.RcodeNameError
	}
	soa := dns.Copy(z.sets[z.origin][dns.TypeSOA][0]).(*dns.SOA)
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	m.Ns = append(m.Ns, soa)
	if sig := z.sigs[z.origin][dns.TypeSOA]; secure && sig != nil {
		m.Ns = append(m.Ns, sig)
		z.prove(m, name)
		switch {
		case owner == "": // and no wildcard that would have answered
			z.prove(m, "*."+z.encloser(name))
		case owner != dns.CanonicalName(name):
			z.prove(m, owner)
		}
	}
}

// prove adds the NSEC record that tells what is at a name, or between which
// names there is nothing.
func (z *zone) prove(m *dns.Msg, name string) {
	at, found := slices.BinarySearchFunc(z.order, name, compareNames)
	if !found {
		at-- // the origin is the first of all, so there is one before
	}
	owner := z.order[max(at, 0)]
	nsec := z.sets[owner][dns.TypeNSEC]
	if len(nsec) == 0 || slices.Contains(m.Ns, nsec[0]) {
		return
	}
	m.Ns = append(m.Ns, nsec[0])
	if sig := z.sigs[owner][dns.TypeNSEC]; sig != nil {
		m.Ns = append(m.Ns, sig)
	}
}

// named are the records under the name that was asked for.
func named(set []dns.RR, name string) []dns.RR {
	out := make([]dns.RR, 0, len(set))
	for _, rr := range set {
		if rr.Header().Name != name {
			rr = dns.Copy(rr)
			rr.Header().Name = name
		}
		out = append(out, rr)
	}
	return out
}
