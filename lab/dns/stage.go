package dnslab

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"

	"peerlab/lab"
	"peerlab/trace"
)

// The variants.
const (
	theNaive   = "naive"
	theCareful = "careful"
)

// stage is all that one run has open.
type stage struct {
	run     *lab.Run
	p       Params
	naive   *twin
	careful *twin
}

// twin is one variant: a server, a resolver that asks it, and a forger.
type twin struct {
	name     string
	run      *lab.Run
	grid     *lab.Run // the run itself, for the table of both
	server   *server
	place    place
	client   *lab.Host
	resolver resolver
	forger   *forger
	told     lab.Findings
}

func open(r *lab.Run, p Params) (*stage, error) {
	s := &stage{run: r, p: p}
	var err error
	if s.naive, err = newTwin(r, p, theNaive); err != nil {
		return nil, err
	}
	if s.careful, err = newTwin(r, p, theCareful); err != nil {
		return nil, err
	}
	packed, err := newQuery(question(p.Name, dns.StringToType[p.Type]), p.Datagram, false).Pack()
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	r.Live("doh-query", base64.RawURLEncoding.EncodeToString(packed))
	return s, nil
}

func newTwin(whole *lab.Run, p Params, name string) (t *twin, err error) {
	t = &twin{name: name, run: whole.Variant(name), grid: whole}
	if t.server, err = newServer(t.run, p); err != nil {
		return nil, err
	}
	if t.client, err = t.run.Host(clientName); err != nil {
		return nil, err
	}
	if t.forger, err = newForger(t.run, "bank."+domain); err != nil {
		return nil, err
	}
	t.place = place{name: serverName, lane: "server", roots: t.server.roots,
		dial: func(ctx context.Context, network, port string) (net.Conn, error) {
			return t.client.DialContext(ctx, network, net.JoinHostPort("server", port))
		}}
	b := &base{run: t.run, p: p, host: t.client, server: t.place, at: net.UDPAddrFromAddrPort(t.server.at)}
	if name == theCareful {
		t.resolver = &careful{base: b, cache: newCache()}
	} else {
		pc, err := t.client.ListenPacket("udp", ":0")
		if err != nil {
			return nil, err
		}
		t.resolver = &naive{base: b, pc: pc, known: map[cacheKey]*dns.Msg{}}
	}
	return t, serveCache(t)
}

// question is that of a name, complete or not.
func question(name string, qtype uint16) dns.Question {
	return dns.Question{Name: dns.Fqdn(name), Qtype: qtype, Qclass: dns.ClassINET}
}

// both does the same with the twins at once. One that gets no answer has failed
// in that case; on a link that loses much that is a result.
func (s *stage) both(ctx context.Context, what string, do func(context.Context, *twin) error) error {
	s.run.Cell(what, s.naive.name, "…", nil)
	s.run.Cell(what, s.careful.name, "…", nil)
	one := func(t *twin) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := do(ctx, t); err != nil && ctx.Err() == nil {
				t.cell(what, false, "got no answer (%s)", reason(err))
			}
			return nil
		}
	}
	return s.run.Together(ctx, one(s.naive), one(s.careful))
}

// cell writes how the twin fares in one case, into the table of both. The text
// goes on after "The careful resolver".
func (t *twin) cell(what string, good bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if good {
		t.told.Merit("%s", text)
	} else {
		t.told.Fault("%s", text)
		text = "failed (" + text + ")"
	}
	t.grid.Cell(what, t.name, text, nil)
}

// facts are what the twins did in all.
func (s *stage) facts() {
	for _, t := range []*twin{s.naive, s.careful} {
		n := t.resolver.counted()
		t.run.Fact("questions sent", float64(n.sent), "questions")
		t.run.Fact("questions sent again", float64(n.again), "questions")
		t.run.Fact("answers from the cache", float64(n.cached), "answers")
	}
}

// beats is how often the name that moves is looked up while the lab stays open.
const beats = time.Second

// stay keeps all open for visitors, takes the actions, and looks the name that
// moves up now and then, so that a move shows.
func (s *stage) stay(ctx context.Context) error {
	if s.p.Stay > 0 {
		s.run.Note("All is done. Servers and caches stay open for %s: try the commands and the button.", s.p.Stay)
	}
	over := time.After(s.p.Stay)
	tick := time.NewTicker(beats)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case <-s.run.Actions():
			if err := s.move(); err != nil {
				return err
			}
		case <-tick.C:
			for _, t := range []*twin{s.naive, s.careful} {
				if _, err := t.lookMoving(ctx); err != nil && ctx.Err() == nil {
					t.run.Note("%v.", err)
				}
			}
		}
	}
}

// move gives the name that moves another address, at both servers.
func (s *stage) move() error {
	for _, t := range []*twin{s.naive, s.careful} {
		if err := t.move(); err != nil {
			return err
		}
	}
	return nil
}

func (t *twin) move() error {
	to, err := t.server.names().move()
	if err != nil {
		return err
	}
	t.run.State(trace.DNS, "server", movingName, to)
	t.run.Note("moving.lab.test is at %s from now on.", to)
	return nil
}
