package dnslab

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// The two zones: names to addresses, and addresses to names.
const (
	domain = "lab.test."
	arpa   = "2.0.192.in-addr.arpa."
)

// region zone

// forward is the zone lab.test as an administrator writes it: name, seconds it
// may be kept, type, data. The last number of the SOA is for how long a "no"
// may be kept.
const forward = `
@             300 SOA   ns1 hostmaster 1 7200 900 86400 5
@             300 NS    ns1
@             300 MX    10 mail
@             300 TXT   "v=spf1 mx -all"
@             300 CAA   0 issue "ca.test"
ns1           300 A     192.0.2.53
host           60 A     192.0.2.10
host           60 AAAA  2001:db8::10
mail          300 A     192.0.2.25
web            30 CNAME host
www           300 CNAME web
_chat._tcp    300 SRV   10 5 5222 host
printer.office 60 A     192.0.2.77
ring-a         60 CNAME ring-b
ring-b         60 CNAME ring-a
*.any          60 A     192.0.2.99
bank           60 A     192.0.2.80
altered        60 A     192.0.2.30
`

// backward is the zone of the addresses 192.0.2.0 to 192.0.2.255. Whoever has
// an address block writes into it what he likes: see the last line.
const backward = `
@   300 SOA ns1.lab.test. hostmaster.lab.test. 1 7200 900 86400 5
@   300 NS  ns1.lab.test.
10   60 PTR host.lab.test.
25  300 PTR mail.lab.test.
66  300 PTR host.lab.test.
`

// endregion

// Names in the zone that the lab adds: one whose address changes, and one with
// more text than fits into a datagram.
const (
	movingName = "moving." + domain
	bigName    = "big." + domain
	bigRecords = 24
)

// zone is one zone in memory. It may be used from any goroutine.
type zone struct {
	origin string
	signer crypto.Signer // nil: not signed
	key    *dns.DNSKEY

	mu    sync.RWMutex
	sets  map[string]map[uint16][]dns.RR   // by owner and type
	sigs  map[string]map[uint16]*dns.RRSIG // likewise, if signed
	above map[string]bool                  // names without records that have some below
	order []string                         // owners as RFC 4034 section 6.1 sorts them
	moves int
}

// newForward makes the zone lab.test and signs it.
func newForward(ttl time.Duration) (*zone, error) {
	text := forward + fmt.Sprintf("moving %d A 192.0.2.20\n", int(ttl.Seconds()))
	for i := range bigRecords {
		text += fmt.Sprintf("big 60 TXT \"%02d %s\"\n", i+1, strings.Repeat("much to say ", 8))
	}
	z, err := parseZone(domain, text)
	if err != nil {
		return nil, err
	}
	return z, z.sign()
}

// newBackward makes the zone of the addresses.
func newBackward() (*zone, error) { return parseZone(arpa, backward) }

// parseZone reads a master file (RFC 1035 section 5).
func parseZone(origin, text string) (*zone, error) {
	z := &zone{origin: origin, sets: map[string]map[uint16][]dns.RR{}, sigs: map[string]map[uint16]*dns.RRSIG{}, above: map[string]bool{}}
	in := dns.NewZoneParser(strings.NewReader(text), origin, "")
	for rr, ok := in.Next(); ok; rr, ok = in.Next() {
		z.put(rr)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("zone %s: %w", origin, err)
	}
	if len(z.sets[origin][dns.TypeSOA]) != 1 {
		return nil, fmt.Errorf("zone %s has no SOA record of its own", origin)
	}
	z.sort()
	return z, nil
}

func (z *zone) put(rr dns.RR) {
	h := rr.Header()
	owner := dns.CanonicalName(h.Name)
	if z.sets[owner] == nil {
		z.sets[owner] = map[uint16][]dns.RR{}
	}
	z.sets[owner][h.Rrtype] = append(z.sets[owner][h.Rrtype], rr)
}

// sort puts the owners in order, and finds the names between them and the
// origin that exist without records.
func (z *zone) sort() {
	z.order = z.order[:0]
	for owner := range z.sets {
		z.order = append(z.order, owner)
		for name := parent(owner); len(name) > len(z.origin); name = parent(name) {
			if z.sets[name] == nil {
				z.above[name] = true
			}
		}
	}
	slices.SortFunc(z.order, compareNames)
}

// move gives the name that moves its next address.
func (z *zone) move() (to string, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.moves++
	a := dns.Copy(z.sets[movingName][dns.TypeA][0]).(*dns.A)
	a.A = a.A.To4()
	a.A[3] = byte(20 + z.moves%10)
	z.sets[movingName][dns.TypeA] = []dns.RR{a}
	return a.A.String(), z.signSet(movingName, dns.TypeA)
}

// address is what the name has now.
func (z *zone) address(name string) string {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for _, rr := range z.sets[name][dns.TypeA] {
		return rr.(*dns.A).A.String()
	}
	return ""
}

// parent is the name without its first label.
func parent(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}

// compareNames is the order of RFC 4034 section 6.1: label by label from the
// right, as bytes.
func compareNames(a, b string) int {
	return slices.Compare(labels(a), labels(b))
}

// labels are the bytes of a name's labels in lower case, the last one first.
func labels(name string) (out []string) {
	wire := make([]byte, 256)
	if _, err := dns.PackDomainName(dns.CanonicalName(name), wire, 0, nil, false); err != nil {
		return nil
	}
	for at := 0; wire[at] != 0; at += 1 + int(wire[at]) {
		out = append(out, string(wire[at+1:at+1+int(wire[at])]))
	}
	slices.Reverse(out)
	return out
}
