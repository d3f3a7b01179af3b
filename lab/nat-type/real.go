package nattype

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
	"peerlab/turnsrv"
)

// The variants on the loopback: a control, where the answer is known, and what the
// question is about.
const (
	itself = "itself"
	beyond = "internet"
)

// thisMachine is its row in the table.
const thisMachine = "this machine"

// lookUpTime bounds looking up the names of STUN servers.
const lookUpTime = 3 * time.Second

// real looks at this machine: from itself, where nothing can be in front, and from
// the internet.
func (s *session) real(ctx, waiting context.Context) error {
	if err := s.control(ctx); err != nil {
		return err
	}
	if !s.r.Owner() {
		s.table.add(thisMachine, nat.Behavior{})
		s.r.Variant(beyond).Verdict(lab.Warn, "What is in front of this machine is for whoever sits at it to ask: start the run there. What is in front of you, your browser measures by the button.")
		return nil
	}
	gateway := make(chan nat.Evidence, 1)
	s.r.Go(func(context.Context) error {
		gateway <- s.gateway(ctx)
		return nil
	})
	asked := make(chan struct{})
	s.r.Go(func(context.Context) error {
		defer close(asked)
		s.pmp(ctx)
		return nil
	})
	run := s.r.Variant(beyond)
	found, err := s.beyond(ctx, waiting, run)
	if err != nil {
		return err
	}
	select {
	case e := <-gateway:
		if s.around.Gateways != nil {
			e.STUN = found.Mapped.Addr()
			run.Note("%s", nat.Judge(e).Sentence)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	s.judge(run, found)
	<-asked
	return nil
}

// control looks at this machine from a server of the run's own on it.
func (s *session) control(ctx context.Context) error {
	run := s.r.Variant(itself)
	server, err := run.Host("stun")
	if err != nil {
		return err
	}
	host, err := run.Host(client)
	if err != nil {
		return err
	}
	var corners turnsrv.Corners
	for i, port := range []int{stunPort, otherPort} {
		if corners[0][i], err = server.ListenPacket("udp", fmt.Sprintf(":%d", port)); err != nil {
			return err
		}
	}
	at, err := netip.ParseAddrPort(corners[0][0].LocalAddr().String())
	if err != nil {
		return fmt.Errorf("address of the STUN server: %w", err)
	}
	if err := respond(run, corners); err != nil {
		return err
	}
	run.Live("host", at.Addr().String())
	run.Live("port", strconv.Itoa(int(at.Port())))
	found, err := subject{
		run: run, host: host, servers: []netip.AddrPort{at},
		open: func() (net.PacketConn, error) { return host.ListenPacket("udp", ":0") },
		lane: func(netip.AddrPort) string { return "stun" },
	}.discover(ctx)
	if err != nil {
		return err
	}
	run.Verdict(lab.Good, "Nothing is between this machine and itself, and that is what is found: %s.", found.Behavior.Kind())
	return nil
}

// beyond looks at this machine from the internet, as far as that can be reached.
func (s *session) beyond(ctx, waiting context.Context, run *lab.Run) (nat.Discovery, error) {
	names := s.around.STUN
	if s.p.Server != "" {
		names = []string{s.p.Server}
	}
	servers, why := lookUp(ctx, names)
	if len(servers) == 0 {
		return nat.Discovery{Untold: []string{why}}, nil
	}
	host, err := run.Host(client)
	if err != nil {
		return nat.Discovery{}, err
	}
	subject := subject{
		run: run, host: host, servers: servers,
		open: func() (net.PacketConn, error) { return host.ListenOutside(ctx) },
		lane: func(a netip.AddrPort) string { return a.Addr().String() },
	}
	found, err := subject.discover(ctx)
	if errors.Is(err, lab.ErrNotOurs) {
		return nat.Discovery{Untold: []string{"This server lets no lab reach the internet."}}, nil
	}
	if err != nil {
		return found, err
	}
	return found, s.lifetime(waiting, subject, found.Server, found)
}

// lookUp finds the address of each STUN server. Without any it says why.
func lookUp(ctx context.Context, names []string) (found []netip.AddrPort, why string) {
	const most = 8
	if len(names) == 0 {
		return nil, "No STUN server on the internet is known here; name one in the form."
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	var problems []string
	for _, name := range names[:min(len(names), most)] {
		host, port, err := nat.ParseServer(name)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		if err != nil || len(addrs) == 0 {
			problems = append(problems, fmt.Sprintf("%s can't be looked up", host))
			continue
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err == nil {
			found = append(found, netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)))
		}
	}
	return found, fmt.Sprintf("No STUN server could be looked up (%s): there may be no way to the internet from here.", strings.Join(problems, "; "))
}

// gateway looks for a router that speaks UPnP. Nothing is asked of it but what its
// outside address is.
func (s *session) gateway(ctx context.Context) (e nat.Evidence) {
	if s.around.Gateways == nil {
		return e
	}
	end := s.r.Begin(trace.App, "router", "looked for by UPnP")
	e.Local, _ = nat.LocalAddresses() // without them the judgement is the weaker
	gateways, err := s.around.Gateways.Discover(ctx)
	if err != nil {
		end("none answered")
		return e
	}
	end("answered: " + gateways[0].Name)
	e.Router, e.UPnP = true, gateways[0].External
	return e
}

// pmp asks the default gateway whether it speaks NAT-PMP, by the question for its
// outside address.
func (s *session) pmp(ctx context.Context) {
	gateways, _ := nat.DefaultGateways()
	if s.around.Gateways == nil || len(gateways) == 0 {
		return
	}
	end := s.r.Begin(trace.App, "router", "asked by NAT-PMP")
	p, err := nat.NewPMP(nat.PMPConfig{Gateway: gateways[0].Router, Local: gateways[0].Local})
	if err == nil {
		_, err = p.Condition(ctx)
	}
	if err != nil {
		end("no answer")
		s.r.Note("The router does not answer by NAT-PMP.")
		return
	}
	end("answered")
	s.r.Note("The router answers by NAT-PMP: ports can be opened by asking it.")
}

// judge says what was found of this machine.
func (s *session) judge(run *lab.Run, found nat.Discovery) {
	s.table.add(thisMachine, found.Behavior)
	tone, means := light(found.Behavior)
	if !found.Behavior.Known() {
		run.Verdict(lab.Warn, "What is in front of this machine can't be told. %s", strings.Join(found.Untold, " "))
		return
	}
	run.Verdict(tone, "In front of this machine: %s. %s", found.Behavior.Kind(), means)
}
