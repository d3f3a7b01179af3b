package dnslab

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"peerlab/lab"
	"peerlab/trace"
)

// record tells of a message that went over the wire, decoded, and with its
// bytes.
func record(r *lab.Run, from, to string, m *dns.Msg, packed []byte, over Transport) {
	attrs := map[string]string{
		"over": over.String(), "size": strconv.Itoa(len(packed)) + " bytes", "id": strconv.Itoa(int(m.Id)),
		"flags": flags(m), "hex": hex.EncodeToString(packed[:min(len(packed), 512)]),
	}
	for section, rrs := range map[string][]dns.RR{"answer": m.Answer, "authority": m.Ns, "additional": m.Extra} {
		if len(rrs) > 0 {
			attrs[section] = list(rrs)
		}
	}
	name := "query"
	if m.Response {
		name = outcome(m)
	}
	r.Add(trace.Event{Kind: trace.Message, Layer: trace.DNS, From: from, To: to, Name: name, Text: about(m), Attrs: attrs})
}

// outcome is what an answer comes to, in a few words.
func outcome(m *dns.Msg) string {
	switch {
	case m.Truncated:
		return "truncated"
	case m.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[m.Rcode]
	case len(m.Answer) == 0:
		return "NODATA"
	}
	return lab.Plural(len(m.Answer), "record")
}

// about is a message in one line.
func about(m *dns.Msg) string {
	var parts []string
	for _, q := range m.Question {
		parts = append(parts, typeName(q.Qtype)+" "+clean(q.Name))
	}
	if m.Response && len(m.Answer) > 0 {
		var data []string
		for _, rr := range m.Answer[:min(len(m.Answer), 3)] {
			data = append(data, content(rr))
		}
		parts = append(parts, strings.Join(data, ", "))
		if more := len(m.Answer) - len(data); more > 0 {
			parts = append(parts, fmt.Sprintf("and %d more", more))
		}
	}
	return strings.Join(parts, ": ")
}

// content is what a record says, without its name; long ones are cut.
func content(rr dns.RR) string {
	text := strings.TrimPrefix(rr.String(), rr.Header().String())
	if sig, ok := rr.(*dns.RRSIG); ok {
		return "signature of " + typeName(sig.TypeCovered)
	}
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:57], "") + "…"
	}
	return clean(text)
}

// list is one record a line: name, seconds, type, content.
func list(rrs []dns.RR) string {
	var b strings.Builder
	for _, rr := range rrs {
		if opt, ok := rr.(*dns.OPT); ok {
			fmt.Fprintf(&b, "EDNS: up to %d bytes by UDP, DNSSEC wanted: %t\n", opt.UDPSize(), opt.Do())
			continue
		}
		h := rr.Header()
		fmt.Fprintf(&b, "%s %d %s %s\n", clean(h.Name), h.Ttl, typeName(h.Rrtype), content(rr))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// flags are the bits of the header that are set, by name.
func flags(m *dns.Msg) string {
	var on []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{m.Response, "QR answer"}, {m.Authoritative, "AA authoritative"}, {m.Truncated, "TC truncated"},
		{m.RecursionDesired, "RD recursion wanted"}, {m.RecursionAvailable, "RA recursion available"},
		{m.AuthenticatedData, "AD checked"}, {m.CheckingDisabled, "CD don't check"},
	} {
		if f.set {
			on = append(on, f.name)
		}
	}
	if m.Response {
		on = append(on, dns.RcodeToString[m.Rcode])
	}
	return strings.Join(on, ", ")
}

func typeName(t uint16) string {
	if name, ok := dns.TypeToString[t]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// clean keeps control characters of a message out of the record.
func clean(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' || c == 0x7f {
			return ' '
		}
		return c
	}, text)
}
