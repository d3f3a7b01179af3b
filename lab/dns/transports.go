package dnslab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/trace"
)

// transports asks the same question over each transport, twice: once on no
// connection and once on the one that is there then. Other servers are asked
// the same, once.
func (s *stage) transports(ctx context.Context) error {
	grid := s.run.Variant("servers")
	answers := map[string]string{}
	for _, to := range append([]place{s.careful.place}, s.outside()...) {
		for _, over := range s.p.transports() {
			grid.Cell(to.name, over.String(), "…", nil)
			m, took, err := s.askTwice(ctx, to, over)
			if m == nil && ctx.Err() != nil {
				return ctx.Err()
			}
			if m == nil {
				grid.Cell(to.name, over.String(), "failed ("+reason(err)+")", nil)
				continue
			}
			more := map[string]string{"records": list(m.Answer)}
			if err != nil {
				more["the second question"] = reason(err)
			}
			grid.Cell(to.name, over.String(), fmt.Sprintf("%s, %.1f ms", outcome(m), lab.Milliseconds(took)), more)
			if !m.Truncated {
				answers[to.name] = strings.Join(said(m), ", ")
			}
		}
	}
	s.compare(answers)
	return nil
}

// outside are the other servers. They are dialled by the server's guard.
func (s *stage) outside() (all []place) {
	for _, name := range s.p.others() {
		all = append(all, place{name: name, lane: name, dial: func(ctx context.Context, network, port string) (net.Conn, error) {
			return s.careful.client.DialContext(ctx, network, net.JoinHostPort(name, port))
		}})
	}
	return all
}

// askTwice asks a server over a transport; of somebody else's once is enough.
// It returns the first answer, and how long that took, also if the second fails.
func (s *stage) askTwice(ctx context.Context, to place, over Transport) (first *dns.Msg, took time.Duration, err error) {
	t, own := s.careful, to.lane == s.careful.place.lane
	w := newWay(over, to)
	defer w.close()
	for _, which := range []string{"first", "second"} {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(s.p.Tries)*s.p.Wait)
		end := t.run.Begin(trace.DNS, clientName, fmt.Sprintf("%s: %s answer of %s", over, which, to.name))
		begin := time.Now()
		m, err := ask(ctx, t.run, to.lane, w, over, newQuery(question(s.p.Name, dns.StringToType[s.p.Type]), s.p.Datagram, false))
		cancel()
		passed := time.Since(begin)
		if err != nil {
			end(reason(err))
			return first, took, err
		}
		end(about(m))
		if first == nil {
			first, took = m, passed
		}
		if !own {
			break
		}
		t.run.Fact(over.String()+": "+which+" answer", lab.Milliseconds(passed), "ms")
	}
	return first, took, nil
}

// compare says whether the servers agree.
func (s *stage) compare(answers map[string]string) {
	if len(answers) < 2 {
		return
	}
	byAnswer := map[string][]string{}
	for server, answer := range answers {
		byAnswer[answer] = append(byAnswer[answer], server)
	}
	if len(byAnswer) == 1 {
		s.run.Note("All servers that answered say the same.")
		return
	}
	for answer, servers := range byAnswer {
		slices.Sort(servers)
		if answer == "" {
			answer = "no records"
		}
		s.run.Note("%s: %s", strings.Join(servers, ", "), answer)
	}
}

// said are the contents of an answer, in an order of their own, since servers
// turn theirs round.
func said(m *dns.Msg) (all []string) {
	for _, rr := range m.Answer {
		all = append(all, typeName(rr.Header().Rrtype)+" "+content(rr))
	}
	slices.Sort(all)
	return all
}

// reason says in a few words, for the visitor, why there is no answer.
func reason(err error) string {
	if refused, ok := errors.AsType[*guard.Refused](err); ok {
		return refused.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("looking up %q: %s", clean(lookup.Name), brief(lookup))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // which has addresses of ours
		if op.Timeout() {
			return "no answer in time"
		}
		return op.Op + ": " + op.Err.Error()
	}
	return clean(err.Error())
}

// brief is a failed lookup without the server that was asked, which is ours to
// know.
func brief(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such name"
	case err.IsTimeout:
		return "no answer in time"
	}
	return "the lookup failed"
}
