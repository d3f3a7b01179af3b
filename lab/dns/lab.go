package dnslab

import (
	"context"
	"embed"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"peerlab/lab"
)

//go:embed lab.md zone.go answer.go sign.go reply.go server.go frame.go https.go cache.go check.go search.go careful.go naive.go reverse.go forger.go packagenet.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Part      string        `lab:"part" label:"Part" oneof:"all transports names cache trust package-net" help:"one of them, or all"`
	Name      string        `lab:"name" label:"Name" default:"www.lab.test" maxlen:"253" help:"asked over each transport"`
	Type      string        `lab:"type" label:"Type" oneof:"A AAAA CNAME MX NS SOA TXT SRV CAA PTR DNSKEY ANY"`
	Transport Transport     `lab:"transport" label:"Transport" oneof:"all udp tcp dot doh" help:"DoT is DNS over TLS, DoH over HTTPS"`
	Servers   string        `lab:"servers" label:"Other servers" maxlen:"120" help:"up to three, with commas between: the same question goes to them too; public ones, at the usual ports, and on the loopback network only"`
	Short     string        `lab:"short" label:"Short name" default:"printer" maxlen:"60" help:"looked up with the search list"`
	Search    string        `lab:"search" label:"Search list" default:"corp.lab.test office.lab.test lab.test" maxlen:"200" help:"what is put behind a short name, one after the other"`
	Ndots     int           `lab:"ndots" label:"ndots" default:"1" max:"15" unit:"dots" help:"names with fewer dots are short ones"`
	TTL       time.Duration `lab:"ttl" label:"TTL" default:"1" max:"60" unit:"s" help:"of the name that moves: how long it may be kept"`
	Lookups   int           `lab:"lookups" label:"Lookups" default:"16" max:"100" unit:"lookups" help:"of the name that moves, after the third"`
	Pace      time.Duration `lab:"pace" label:"Pace" default:"120" max:"2000" unit:"ms" help:"between two of them"`
	Datagram  int           `lab:"datagram" label:"Largest datagram" default:"1232" min:"512" max:"4096" unit:"bytes" help:"that both sides take by UDP"`
	Forged    int           `lab:"forged" label:"Forged answers" default:"40" max:"400" unit:"datagrams" help:"sent to each resolver before the real one"`
	Address   string        `lab:"address" label:"Address" default:"192.0.2.66" maxlen:"45" help:"whose name is to be verified, of 192.0.2.0/24"`
	Real      string        `lab:"real" label:"A real name" maxlen:"253" help:"looked up by package net as this machine is set up, and on the loopback network only"`
	Wait      time.Duration `lab:"wait" label:"Patience" default:"1000" min:"50" max:"5000" unit:"ms" help:"for an answer by UDP, beside a round trip of the link"`
	Tries     int           `lab:"tries" label:"Tries" default:"3" min:"1" max:"5" unit:"questions" help:"of the careful resolver, if no answer comes"`
	Stay      time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for your own dig, when all is done"`
}

// maxServers is how many other servers are asked.
const maxServers = 3

// ValidateOn judges what the tags can't.
func (p *Params) ValidateOn(network lab.Network) error {
	for field, name := range map[string]string{"name": p.Name, "short": p.Short, "real": p.Real} {
		if name == "" && field == "real" {
			continue
		}
		if !isName(name) {
			return &lab.ParamError{Field: field, Message: "must be a domain name: labels of at most 63 bytes with dots between"}
		}
	}
	for _, suffix := range p.suffixes() {
		if !isName(suffix) || len(suffix)+len(p.Short) > 250 {
			return &lab.ParamError{Field: "search", Message: "must be domain names with spaces between"}
		}
	}
	if len(p.suffixes()) > 6 {
		return &lab.ParamError{Field: "search", Message: "may have six names at most"}
	}
	if len(p.others()) > maxServers {
		return &lab.ParamError{Field: "servers", Message: "may be three at most"}
	}
	for _, server := range p.others() {
		if _, err := netip.ParseAddr(server); err != nil && (!isName(server) || strings.Contains(server, ":")) {
			return &lab.ParamError{Field: "servers", Message: "must be addresses or names, without ports"}
		}
	}
	if a, err := netip.ParseAddr(p.Address); err != nil || a.Zone() != "" {
		return &lab.ParamError{Field: "address", Message: "must be an IP address"}
	}
	if network == lab.Link {
		const noWayOut = "needs the loopback network: the emulated link has no way out"
		switch {
		case len(p.others()) > 0:
			return &lab.ParamError{Field: "servers", Message: noWayOut}
		case p.Real != "":
			return &lab.ParamError{Field: "real", Message: noWayOut}
		}
	}
	return nil
}

// isName tells whether a text can be a domain name. What looks like one of
// master files' escapes is left out.
func isName(name string) bool {
	_, ok := dns.IsDomainName(name)
	return ok && name != "" && !strings.ContainsAny(name, "\\ \t\"'/@")
}

func (p *Params) suffixes() []string { return strings.Fields(p.Search) }

func (p *Params) others() (all []string) {
	for _, s := range strings.Split(p.Servers, ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

func (p *Params) transports() []Transport {
	if p.Transport == "all" {
		return []Transport{UDP, TCP, DoT, DoH}
	}
	return []Transport{p.Transport}
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "dns", Title: "Names", Chapter: "TCP and UDP", Question: 418,
		Ask:   "How do you ask the DNS in Go, and which part of the answer may you believe, and for how long?",
		Files: files,
		Views: []lab.View{lab.Matrix, lab.Lanes, lab.Chart, lab.Waterfall, lab.State, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "move", Label: "Move the name", Help: "moving.lab.test gets another address."},
		},
		Commands: []lab.Command{
			{Text: "dig @{careful.host} -p {careful.port} www.lab.test", Note: "An alias of an alias. The seconds never count down here: this is the server itself."},
			{Text: "dig @{careful.host} -p {careful.cache-port} www.lab.test", Note: "The same from the careful resolver's cache. Twice: now they do."},
			{Text: "dig +noall +answer @{naive.host} -p {naive.cache-port} moving.lab.test bank.lab.test", Note: "What the naive resolver knows: the old address after a move, and the forger's."},
			{Text: "dig @{careful.host} -p {careful.port} +noall +comments big.lab.test TXT", Note: "dig sees the TC bit and comes back by TCP. With +ignore it does not."},
			{Text: "dig @{careful.host} -p {careful.port} +dnssec nowhere.lab.test", Note: "A signed no: between which two names there is nothing."},
			{Text: "dig @{careful.host} -p {careful.dot-port} +tls www.lab.test AAAA", Note: "By TLS."},
			{Text: "dig @{careful.host} -p {careful.doh-port} +https www.lab.test AAAA", Note: "By HTTPS."},
			{Text: "curl -sk 'https://{careful.host}:{careful.doh-port}/dns-query?dns={doh-query}' | od -c | head", Note: "A GET will do, with the query in base64url."},
			{Text: "dig +noall +answer @{careful.host} -p {careful.port} -x 192.0.2.66", Note: "It says that it is host.lab.test. Ask for the address of that."},
		},
		Duration: time.Minute, Outside: true,
	}, run)
}

func run(ctx context.Context, p Params, r *lab.Run) error {
	if r.Network() == lab.Link {
		p.Wait += 2 * (r.Settings().Delay + r.Settings().Jitter)
	}
	s, err := open(r, p)
	if err != nil {
		return err
	}
	defer s.facts() // however it ends, what was measured is told
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"transports", s.transports},
		{"names", s.names},
		{"cache", s.caches},
		{"trust", s.trust},
		{"package-net", s.packageNet},
	} {
		if p.Part != "all" && p.Part != part.name {
			continue
		}
		if err := part.do(ctx); err != nil {
			if ctx.Err() != nil {
				s.tell(func(f *lab.Findings, r *lab.Run, subject string) { f.TellSoFar(r, subject, "in the part "+part.name) })
				return err
			}
			r.Note("%s: %v.", part.name, err) // on a link that loses much, a result
		}
	}
	s.tell((*lab.Findings).Tell)
	return s.stay(ctx)
}

// tell has the verdicts told in that manner.
func (s *stage) tell(how func(f *lab.Findings, r *lab.Run, subject string)) {
	for _, t := range []*twin{s.naive, s.careful} {
		how(&t.told, t.run, "the "+t.name+" resolver")
	}
}
