package dnslab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/selfsigned"
)

// serverName is what the server's certificate is for.
const serverName = "ns1.lab.test"

// idle is how long a connection is kept that asks nothing.
const idle = 10 * time.Second

// server is the authoritative server of one variant: both zones, on each way.
type server struct {
	responder
	run   *lab.Run
	host  *lab.Host
	zones []*zone
	at    netip.AddrPort // UDP, and TCP
	roots *x509.CertPool
	told  *rate.Limiter // events of visitors
}

func newServer(r *lab.Run, p Params) (*server, error) {
	host, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	names, err := newForward(p.TTL)
	if err != nil {
		return nil, err
	}
	addresses, err := newBackward()
	if err != nil {
		return nil, err
	}
	s := &server{
		run: r, host: host, zones: []*zone{names, addresses},
		told: rate.NewLimiter(20, 60),
	}
	s.responder = responder{ask: s.ask, most: p.Datagram}
	return s, s.open()
}

// names is the zone lab.test.
func (s *server) names() *zone { return s.zones[0] }

// ask finds the zone for a question.
func (s *server) ask(m *dns.Msg, q dns.Question, secure bool) {
	for _, z := range s.zones {
		if q.Qclass == dns.ClassINET && dns.IsSubDomain(z.origin, q.Name) {
			z.answer(m, q, secure)
			return
		}
	}
	m.Rcode = dns.RcodeRefused // it is not the resolver of the world
}

// open listens on all four ways.
func (s *server) open() error {
	pc, l, err := listenBoth(s.host)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return fmt.Errorf("address of the server: %w", err)
	}
	s.at = netip.AddrPortFrom(s.host.Addr(), at.Port())
	cert, roots, err := selfsigned.Certificate(serverName, s.host.Addr())
	if err != nil {
		return err
	}
	s.roots = roots
	dot, err := s.host.Listen("tcp", ":853")
	if err != nil {
		return err
	}
	doh, err := s.host.Listen("tcp", ":443")
	if err != nil {
		return err
	}
	s.run.Go(func(context.Context) error {
		return serveUDP(pc, func(query []byte, from net.Addr) []byte {
			return s.witness(query, from, UDP, s.datagram(query, s.strange(from)))
		})
	})
	s.run.Go(func(context.Context) error { return s.accept(l, TCP) })
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"dot"}}
	s.run.Go(func(context.Context) error { return s.accept(tls.NewListener(dot, config), DoT) })
	s.run.Go(func(ctx context.Context) error { return s.serveHTTPS(ctx, doh, cert) })
	for name, l := range map[string]net.Listener{"dot-port": dot, "doh-port": doh} {
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return fmt.Errorf("address of the server: %w", err)
		}
		s.run.Live(name, port)
	}
	s.run.Live("host", s.at.Addr().String())
	s.run.Live("port", fmt.Sprint(s.at.Port()))
	return nil
}

// listenBoth takes one port for UDP and TCP, as a name server has to: who gets
// a truncated answer comes to the same port. On the loopback another program
// may have one of the two just then.
func listenBoth(h *lab.Host) (net.PacketConn, net.Listener, error) {
	for try := 1; ; try++ {
		pc, err := h.ListenPacket("udp", ":53")
		if err != nil {
			return nil, nil, err
		}
		l, err := h.Listen("tcp", ":53")
		if err != nil {
			pc.Close()
			return nil, nil, err
		}
		udp, err := netip.ParseAddrPort(pc.LocalAddr().String())
		if err == nil {
			var tcp netip.AddrPort
			if tcp, err = netip.ParseAddrPort(l.Addr().String()); err == nil && (udp.Port() == tcp.Port() || try == 10) {
				return pc, l, nil
			}
		}
		pc.Close()
		l.Close()
		if err != nil {
			return nil, nil, fmt.Errorf("address of the server: %w", err)
		}
	}
}

// region serve

// serveUDP answers datagrams: each is a whole message.
func serveUDP(pc net.PacketConn, answer func(query []byte, from net.Addr) (reply []byte)) error {
	buf := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err // the run is over: its sockets are closed
		}
		if reply := answer(buf[:n], from); reply != nil {
			if _, err := pc.WriteTo(reply, from); errors.Is(err, net.ErrClosed) {
				return err
			}
		}
	}
}

// serveStream answers what comes over one connection, TCP or TLS. Messages run
// together in a stream, so each has its length before it, in two bytes.
func serveStream(c net.Conn, answer func(query []byte) (reply []byte)) error {
	defer c.Close()
	for {
		c.SetDeadline(time.Now().Add(idle))
		query, err := readMessage(c)
		if err != nil {
			return err
		}
		reply := answer(query)
		if reply == nil {
			return errNoQuery
		}
		if err := writeMessage(c, reply); err != nil {
			return err
		}
	}
}

// endregion

// errNoQuery is for who sends something else.
var errNoQuery = errors.New("not a query")

// accept serves the connections of one listener.
func (s *server) accept(l net.Listener, over Transport) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		s.run.Go(func(context.Context) error {
			// Its error is the client's affair.
			_ = serveStream(c, func(query []byte) []byte { return s.witness(query, c.RemoteAddr(), over, stream) })
			return nil
		})
	}
}

// strange tells whether a datagram may have a false address for its sender.
func (s *server) strange(from net.Addr) bool {
	return s.run.Network() == lab.Loopback && isStranger(from)
}

// witness answers, and records what the client of the run does not see itself:
// questions of others.
func (s *server) witness(query []byte, from net.Addr, over Transport, limit func(*dns.Msg) int) []byte {
	reply, asked, told := s.reply(query, limit)
	who := s.run.HostOf(from)
	if who == clientName {
		return reply
	}
	if who == "" {
		who = lab.Outside
		if !s.told.Allow() {
			return reply
		}
	}
	if asked != nil {
		record(s.run, who, "server", asked, query, over)
	}
	if reply != nil {
		record(s.run, "server", who, told, reply, over)
	}
	return reply
}
