package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// listen opens a datagram socket of the server and publishes where it is.
func (s *stage) listen(port, live string) (net.PacketConn, error) {
	pc, err := s.server.ListenPacket("udp", ":"+port)
	if err != nil {
		return nil, err
	}
	s.run.LiveAt(pc.LocalAddr(), live)
	s.run.State(trace.UDP, server, live, "receives at "+pc.LocalAddr().String())
	return pc, nil
}

// serveAsks answers questions for the whole run.
func (s *stage) serveAsks() error {
	pc, err := s.listen(askPort, "ask")
	if err != nil {
		return err
	}
	s.run.Go(func(context.Context) error { return answerAsks(pc, s.asked) })
	return nil
}

func (s *stage) asked(m message, from net.Addr) {
	if s.run.Network() == lab.Loopback && s.shown(from) {
		s.run.Message(trace.UDP, s.nameOf(from), server, m.line(), "the server answers")
	}
}

// maxShown is how many datagrams from outside are recorded, so that somebody who
// sends without end leaves room in the record for the others.
const maxShown = 200

// shown tells whether a datagram is to be recorded.
func (s *stage) shown(from net.Addr) bool {
	return s.run.HostOf(from) != "" || s.outside.Add(1) <= maxShown
}

// nameOf is the lane of a datagram's sender.
func (s *stage) nameOf(from net.Addr) string {
	if name := s.run.HostOf(from); name != "" {
		return name
	}
	return "outside"
}

// sockets is the scene of the two kinds of socket: a stranger answers first,
// then the server goes away.
func (s *stage) sockets(ctx context.Context) error {
	if err := s.intruded(ctx); err != nil {
		return err
	}
	return s.refused(ctx)
}

// intruded asks a question while a stranger sends answers nobody asked it for.
func (s *stage) intruded(ctx context.Context) error {
	at, err := s.serverAddr(ctx, askPort)
	if err != nil {
		return err
	}
	var believed string
	ignored := 0
	if s.name == naive {
		pc, err := s.client.ListenPacket("udp", ":0")
		if err != nil {
			return err
		}
		defer pc.Close()
		if err := s.intrude(ctx, pc.LocalAddr(), at); err != nil {
			return err
		}
		believed, _, err = askAnybody(pc, net.UDPAddrFromAddrPort(at), s.wait)
		if err != nil {
			s.run.Note("The naive client: %v.", err)
		}
	} else {
		c, err := s.client.DialContext(ctx, "udp", server+":"+askPort)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := s.intrude(ctx, c.LocalAddr(), at); err != nil {
			return err
		}
		if believed, ignored, err = askConnected(c, s.wait); err != nil {
			s.run.Note("The careful client: %v.", err)
		}
	}
	if believed != "" {
		s.run.Message(trace.App, client, client, "believes", believed)
	}
	fooled := 0.0
	if m, err := parse([]byte(believed)); err == nil && len(m.args) > 1 && m.args[1] == lie {
		fooled = 1
		s.told.Fault("it believed an answer that a stranger sent")
	} else if err == nil {
		s.told.Merit("it believed the server only")
	}
	s.run.Fact("false answers believed", fooled, "answers")
	s.run.Fact("datagrams ignored", float64(ignored), "datagrams")
	return nil
}

// lie is in the stranger's answers.
const lie = "lies"

// intrude has the stranger send an answer before there is a question: from its
// own address and, where it can, from the server's.
func (s *stage) intrude(ctx context.Context, to net.Addr, serverAt netip.AddrPort) error {
	text := []byte("ANSWER 1 " + lie + "\n")
	c, err := s.stranger.DialContext(ctx, "udp", to.String())
	if err != nil {
		return err
	}
	s.run.Message(trace.App, stranger, client, "ANSWER 1 "+lie, "sent from the stranger's own address")
	for range 2 { // one may be lost
		if _, err := c.Write(text); isRefused(err) {
			s.run.Note("%s", heard)
		} else if err != nil {
			return fmt.Errorf("the stranger: %w", err)
		}
	}
	if s.name == careful {
		s.run.Go(func(context.Context) error { return s.listenForRefusal(c) })
	} else {
		defer c.Close()
	}
	if s.run.Network() == lab.Loopback {
		s.run.Note("A stranger with a forged source address is on the link only: here that needs CAP_NET_RAW.")
		return nil
	}
	victimAt, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return fmt.Errorf("address of the client: %w", err)
	}
	s.run.Message(trace.App, stranger, client, "ANSWER 1 "+lie, "sent with the server's address for its source")
	for range 2 {
		if err := s.stranger.Forge(serverAt, victimAt, text); err != nil {
			return err
		}
	}
	return nil
}

// heard is what a stranger learns who writes to a connected socket.
const heard = "The stranger hears that nobody is there: the client's socket is connected to somebody else."

// listenForRefusal waits for what becomes of the stranger's own datagram: a
// connected socket is not there for others.
func (s *stage) listenForRefusal(c net.Conn) error {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(s.wait))
	if _, err := c.Read(make([]byte, 100)); isRefused(err) {
		s.run.Note("%s", heard)
	}
	return nil
}

// refused asks a server that is there, and once more when it is gone.
func (s *stage) refused(ctx context.Context) error {
	const port = "8"
	pc, err := s.server.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	defer pc.Close()
	at := pc.LocalAddr()
	s.run.Go(func(context.Context) error {
		_ = answerAsks(pc, s.asked) // until it is closed, which is part of the scene
		return nil
	})
	var ask func() error
	if s.name == naive {
		c, err := s.client.ListenPacket("udp", ":0")
		if err != nil {
			return err
		}
		defer c.Close()
		ask = func() error { _, _, err := askAnybody(c, at, s.wait); return err }
	} else {
		c, err := s.client.DialContext(ctx, "udp", server+":"+port)
		if err != nil {
			return err
		}
		defer c.Close()
		ask = func() error { _, _, err := askConnected(c, s.wait); return err }
	}
	begin := time.Now()
	if err := ask(); err == nil {
		s.run.Fact("time to an answer", lab.Milliseconds(time.Since(begin)), "ms")
	}
	pc.Close()
	s.run.Note("The server of the %s client closes its socket. The client asks once more.", s.name)
	end := s.run.Begin(trace.UDP, client, "asks a server that is gone")
	begin = time.Now()
	err = ask()
	took := time.Since(begin)
	if err == nil {
		end("answered")
		return nil // a copy of an answer was on its way
	}
	end(err.Error())
	s.run.Fact("time to know that the server is gone", lab.Milliseconds(took), "ms")
	if isRefused(err) {
		digits := 0
		if took < 10*time.Millisecond {
			digits = 2
		}
		s.told.Merit("it knew after %.*f ms that the server was gone", digits, lab.Milliseconds(took))
	} else {
		s.told.Fault("it waited %.0f ms for a server that was gone", lab.Milliseconds(took))
	}
	return nil
}

// serverAddr is where a port of the server is, on either network.
func (s *stage) serverAddr(ctx context.Context, port string) (netip.AddrPort, error) {
	c, err := s.client.DialContext(ctx, "udp", server+":"+port) // sends nothing
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer c.Close()
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address of the server: %w", err)
	}
	return at, nil
}
