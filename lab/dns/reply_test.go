package dnslab

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// aServer answers from both zones, without sockets.
func aServer(t testing.TB) *server {
	t.Helper()
	names, err := newForward(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := newBackward()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{zones: []*zone{names, addresses}}
	s.responder = responder{ask: s.ask, most: 1232}
	return s
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswers(t *testing.T) {
	s := aServer(t)
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers []string // types
		soa     bool
	}{
		{"www.lab.test.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME", "CNAME", "A"}, false},
		{"WWW.Lab.Test.", dns.TypeAAAA, dns.RcodeSuccess, []string{"CNAME", "CNAME", "AAAA"}, false},
		{"www.lab.test.", dns.TypeCNAME, dns.RcodeSuccess, []string{"CNAME"}, false},
		{"www.lab.test.", dns.TypeMX, dns.RcodeSuccess, []string{"CNAME", "CNAME"}, true},
		{"host.lab.test.", dns.TypeMX, dns.RcodeSuccess, nil, true},
		{"office.lab.test.", dns.TypeA, dns.RcodeSuccess, nil, true}, // nothing there, but below it
		{"nowhere.lab.test.", dns.TypeA, dns.RcodeNameError, nil, true},
		{"below.host.lab.test.", dns.TypeA, dns.RcodeNameError, nil, true},
		{"a.b.any.lab.test.", dns.TypeA, dns.RcodeSuccess, []string{"A"}, false},
		{"x.any.lab.test.", dns.TypeTXT, dns.RcodeSuccess, nil, true},
		{"any.lab.test.", dns.TypeA, dns.RcodeSuccess, nil, true},
		{"ring-a.lab.test.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME", "CNAME"}, false},
		{"66.2.0.192.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"PTR"}, false},
		{"lab.test.", dns.TypeANY, dns.RcodeSuccess, []string{"HINFO"}, false},
		{"nowhere.lab.test.", dns.TypeANY, dns.RcodeNameError, nil, true},
		{"office.lab.test.", dns.TypeANY, dns.RcodeSuccess, nil, true},
		{"example.com.", dns.TypeANY, dns.RcodeRefused, nil, false},
		{"example.com.", dns.TypeA, dns.RcodeRefused, nil, false},
		{"xlab.test.", dns.TypeA, dns.RcodeRefused, nil, false},
		{"lab.test.", dns.TypeAXFR, dns.RcodeSuccess, nil, true}, // no transfers: it has no such record
	} {
		m := new(dns.Msg)
		s.ask(m, dns.Question{Name: c.name, Qtype: c.qtype, Qclass: dns.ClassINET}, false)
		var got []string
		for _, rr := range m.Answer {
			got = append(got, typeName(rr.Header().Rrtype))
		}
		soa := len(m.Ns) == 1 && m.Ns[0].Header().Rrtype == dns.TypeSOA
		if m.Rcode != c.rcode || !slices.Equal(got, c.answers) || soa != c.soa {
			t.Errorf("%s %s: %s, %v, SOA %t", typeName(c.qtype), c.name, dns.RcodeToString[m.Rcode], got, soa)
		}
	}
}

func TestWhatIsNoQueryGetsNoAnswerOrAnError(t *testing.T) {
	s := aServer(t)
	query := func(change func(*dns.Msg)) []byte {
		m := new(dns.Msg)
		m.SetQuestion("host.lab.test.", dns.TypeA)
		change(m)
		return packed(t, m)
	}
	for name, c := range map[string]struct {
		query []byte
		rcode int // -1: nothing
	}{
		"nothing":       {nil, -1},
		"a few bytes":   {[]byte{1, 2, 3}, -1},
		"an answer":     {query(func(m *dns.Msg) { m.Response = true }), -1},
		"cut off":       {query(func(*dns.Msg) {})[:20], dns.RcodeFormatError},
		"two questions": {query(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), dns.RcodeFormatError},
		"no question":   {query(func(m *dns.Msg) { m.Question = nil }), dns.RcodeFormatError},
		"an update":     {query(func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }), dns.RcodeNotImplemented},
		"EDNS 7":        {query(func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(7) }), dns.RcodeBadVers},
		"class chaos":   {query(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), dns.RcodeRefused},
	} {
		reply, _, _ := s.reply(c.query, stream)
		m := new(dns.Msg)
		switch err := m.Unpack(reply); {
		case c.rcode == -1 && reply != nil:
			t.Errorf("%s: answered %v", name, m)
		case c.rcode != -1 && (err != nil || m.Rcode != c.rcode || !m.Response):
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestEveryAnswerOfTheZoneIsProven(t *testing.T) {
	z := aServer(t).names()
	keys := z.sets[domain][dns.TypeDNSKEY]
	ask := func(name string, qtype uint16) *dns.Msg {
		m := new(dns.Msg)
		z.answer(m, question(name, qtype), true)
		return m
	}
	for owner, sets := range z.sets {
		for qtype := range sets {
			err := validate(ask(owner, qtype).Answer, keys, z.anchor())
			if altered := owner == alteredName && qtype == dns.TypeA; (err != nil) != altered {
				t.Errorf("%s %s: %v", typeName(qtype), owner, err)
			}
		}
	}
	for _, name := range []string{"a.lab.test.", "zzz.lab.test.", "x.host.lab.test.", "\\000.lab.test.", "x.office.lab.test."} {
		m := ask(name, dns.TypeA)
		if err := validate(m.Ns, keys, z.anchor()); m.Rcode != dns.RcodeNameError || err != nil || deniedBy(m.Ns, name) != nil {
			t.Errorf("%s: %s, %v, %v", name, dns.RcodeToString[m.Rcode], err, deniedBy(m.Ns, name))
		}
	}
	if m := ask("nowhere."+domain, dns.TypeA); deniedBy(m.Ns, "host."+domain) == nil {
		t.Error("the proof for nowhere denies host as well")
	}
	// A wildcard answers for x.any: that there is none further up proves nothing.
	forged := slices.Concat(z.sets["*.any."+domain][dns.TypeNSEC], z.sets[domain][dns.TypeNSEC])
	if gap(forged, "x.any."+domain) == nil || gap(forged, "*."+domain) == nil {
		t.Fatal("the records are not those the test is about")
	}
	if deniedBy(forged, "x.any."+domain) == nil {
		t.Error("a name that a wildcard stands for is denied")
	}
	other, err := newForward(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(ask("host."+domain, dns.TypeA).Answer, keys, other.anchor()); err != errWrongKey {
		t.Errorf("with the anchor of another key: %v", err)
	}
}

func TestWhatIsTheAnswer(t *testing.T) {
	server, other := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 53), Port: 53}, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 53), Port: 54}
	q := newQuery(question("host.lab.test", dns.TypeA), 1232, false)
	for name, c := range map[string]struct {
		from   net.Addr
		change func(*dns.Msg)
		want   error
	}{
		"the answer":       {server, func(*dns.Msg) {}, nil},
		"in another case":  {server, func(m *dns.Msg) { m.Question[0].Name = "HOST.lab.test." }, nil},
		"another port":     {other, func(*dns.Msg) {}, errSource},
		"another id":       {server, func(m *dns.Msg) { m.Id++ }, errID},
		"a question":       {server, func(m *dns.Msg) { m.Response = false }, errNoAnswer},
		"another name":     {server, func(m *dns.Msg) { m.Question[0].Name = "bank.lab.test." }, errQuestion},
		"another type":     {server, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeMX }, errQuestion},
		"without question": {server, func(m *dns.Msg) { m.Question = nil }, errQuestion},
	} {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Question = slices.Clone(m.Question)
		c.change(m)
		if got := isAnswer(q, server, m, c.from); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheCacheKeepsWhatItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := aServer(t), newCache()
		get := func(name string, qtype uint16) (ttl uint32, ok bool) {
			m, ok := c.get(question(name, qtype))
			if ok && len(m.Answer) > 0 {
				ttl = m.Answer[0].Header().Ttl
			}
			return ttl, ok
		}
		put := func(name string, qtype uint16) {
			m := new(dns.Msg)
			s.ask(m, question(name, qtype), false)
			c.put(question(name, qtype), m)
		}
		put("www."+domain, dns.TypeA) // 300, 30 and 60 s
		put("nowhere."+domain, dns.TypeA)
		put("example.com", dns.TypeA) // refused
		if _, ok := get("example.com", dns.TypeA); ok {
			t.Error("a refusal is kept")
		}
		time.Sleep(4 * time.Second)
		if ttl, ok := get("WWW.lab.test", dns.TypeA); !ok || ttl != 296 {
			t.Errorf("after 4 s: %d, %t", ttl, ok)
		}
		if _, ok := get("nowhere."+domain, dns.TypeA); !ok {
			t.Error("the no is forgotten after 4 of 5 s")
		}
		time.Sleep(time.Second)
		if _, ok := get("nowhere."+domain, dns.TypeA); ok {
			t.Error("the no is kept for longer than 5 s")
		}
		time.Sleep(25 * time.Second)
		if _, ok := get("www."+domain, dns.TypeA); ok {
			t.Error("the chain is kept for longer than its shortest part")
		}
		for i := range 3 * maxEntries {
			put(strings.Repeat("x", 1+i%60)+strings.Repeat(".y", i/60)+".any."+domain, dns.TypeA)
		}
		if n := len(c.entries); n > maxEntries {
			t.Errorf("%d entries", n)
		}
	})
}

func TestCandidates(t *testing.T) {
	search := []string{"a.test", "b.test."}
	for _, c := range []struct {
		name  string
		ndots int
		want  string
	}{
		{"x", 1, "x.a.test. x.b.test. x."},
		{"x.y", 1, "x.y. x.y.a.test. x.y.b.test."},
		{"x.y", 5, "x.y.a.test. x.y.b.test. x.y."},
		{"x.y.", 5, "x.y."},
	} {
		if got := strings.Join(candidates(c.name, search, c.ndots), " "); got != c.want {
			t.Errorf("%s, ndots %d: %s", c.name, c.ndots, got)
		}
	}
}

// FuzzReply sends the server whatever comes to mind: it must not crash, not
// answer an answer, and send a stranger no more than he sent. What it answers
// is then read as a resolver does, and recorded.
func FuzzReply(f *testing.F) {
	s := aServer(f)
	for _, name := range []string{"big.lab.test.", "www.lab.test.", "nowhere.lab.test.", "*.any.lab.test.", "\\000.lab.test.", "66.2.0.192.in-addr.arpa."} {
		for _, qtype := range []uint16{dns.TypeTXT, dns.TypeANY, dns.TypeNSEC, dns.TypeAXFR} {
			f.Add(packed(f, newQuery(question(name, qtype), 4096, true)))
		}
	}
	answer := new(dns.Msg)
	s.ask(answer, question("www.lab.test.", dns.TypeA), true)
	answer.Response = true
	f.Add(packed(f, answer))
	f.Fuzz(func(t *testing.T, query []byte) {
		for _, stranger := range []bool{true, false} {
			reply, asked, told := s.reply(query, s.datagram(query, stranger))
			if reply == nil {
				continue
			}
			if stranger && len(reply) > len(query) || len(reply) > 1232 {
				t.Errorf("%d bytes are answered by %d", len(query), len(reply))
			}
			m := new(dns.Msg)
			if err := m.Unpack(reply); err != nil || !m.Response || m.Id != uint16(query[0])<<8|uint16(query[1]) {
				t.Errorf("the answer can't be read: %v %v", m, err)
			}
			again, _, _ := s.reply(reply, stream)
			if again != nil {
				t.Error("an answer was answered")
			}
			if asked != nil {
				isAnswer(asked, &net.UDPAddr{}, m, &net.UDPAddr{})
				about(asked)
			}
			about(told)
			list(m.Answer)
			lifetime(m)
			addresses(m)
		}
		m := new(dns.Msg)
		if m.Unpack(query) == nil { // as an answer
			about(m)
			list(m.Extra)
			validate(m.Answer, m.Ns, &dns.DS{DigestType: dns.SHA256})
			deniedBy(m.Ns, "x.lab.test.")
			c := newCache()
			c.put(question("x", dns.TypeA), m)
			c.get(question("x", dns.TypeA))
		}
	})
}

func TestWhoIsAStranger(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:5": false, "127.9.9.9:5": false, "[::1]:5": false, "[::ffff:127.0.0.1]:5": false,
		"192.168.1.5:5": true, "203.0.113.9:53": true, "[2001:db8::1]:5": true, "[::ffff:10.0.0.1]:5": true,
	} {
		at, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := isStranger(at); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
