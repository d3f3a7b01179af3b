package latency

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"peerlab/lab"
	"peerlab/trace"
)

// ownName is the name of the run's own server.
const ownName = "server.lab"

// resolver is the run's own name server: it knows one name (RFC 1035).
type resolver struct {
	run  *lab.Run
	pc   net.PacketConn
	addr netip.Addr // of the server
}

func newResolver(r *lab.Run, server netip.Addr) (*resolver, error) {
	h, err := r.Host("resolver")
	if err != nil {
		return nil, err
	}
	pc, err := h.ListenPacket("udp", ":53")
	if err != nil {
		return nil, err
	}
	s := &resolver{run: r, pc: pc, addr: server}
	r.Go(s.serve)
	return s, nil
}

// Addr and Port are where it is asked.
func (s *resolver) Addr() netip.Addr { return s.addrPort().Addr() }

// Port is the port of Addr.
func (s *resolver) Port() uint16 { return s.addrPort().Port() }

func (s *resolver) addrPort() netip.AddrPort {
	ap, err := netip.ParseAddrPort(s.pc.LocalAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return ap
}

func (s *resolver) serve(ctx context.Context) error {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.pc.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("name server: %w", err)
		}
		reply, asked := answer(buf[:n], s.addr)
		if reply == nil {
			continue
		}
		who := s.run.HostOf(from)
		if who == "" {
			who = lab.Outside
		}
		s.run.Message(trace.DNS, who, "resolver", "query", asked)
		if _, err := s.pc.WriteTo(reply, from); err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue // who asked is gone
		}
		s.run.Message(trace.DNS, "resolver", who, "answer", asked)
	}
}

// answer answers a query. What is no query gets none: an answer to an answer
// could go on for ever.
func answer(query []byte, server netip.Addr) (reply []byte, asked string) {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil, ""
	}
	head := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, Authoritative: true, RecursionDesired: h.RecursionDesired}
	q, err := p.Question()
	if err != nil || h.OpCode != 0 {
		head.RCode = dnsmessage.RCodeFormatError
		if err == nil {
			head.RCode = dnsmessage.RCodeNotImplemented
		}
		b := dnsmessage.NewBuilder(nil, head)
		if reply, err = b.Finish(); err != nil {
			return nil, ""
		}
		return reply, "not understood"
	}
	known := strings.EqualFold(q.Name.String(), ownName+".") && q.Class == dnsmessage.ClassINET
	if !known {
		head.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, head)
	err = b.StartQuestions()
	if err == nil {
		err = b.Question(q)
	}
	if err == nil && known && q.Type == dnsmessage.TypeA && server.Is4() {
		if err = b.StartAnswers(); err == nil {
			err = b.AResource(dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, dnsmessage.AResource{A: server.As4()})
		}
	}
	if err == nil {
		reply, err = b.Finish()
	}
	if err != nil {
		return nil, ""
	}
	return reply, q.Type.String() + " " + q.Name.String()
}
