package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// maxAnswered bounds what the naive server sends in a run, in bytes, whoever
// asks: it is an amplifier, if only on this machine.
const maxAnswered = 8 << 20

// listServer answers LIST.
type listServer struct {
	stage   *stage
	pc      net.PacketConn
	library library

	sent   int // bytes
	silent bool
}

func (s *stage) serveList() error {
	pc, err := s.listen(listPort, "list")
	if err != nil {
		return err
	}
	list := listOf(s.p.List << 10)
	s.list = &listServer{stage: s, pc: pc, library: openLibrary{list}}
	if s.name == careful {
		s.list.library = validating{list: list, key: newKey()}
	}
	s.run.Go(s.list.serve)
	return nil
}

func (l *listServer) serve(context.Context) error {
	buf := make([]byte, largest)
	for {
		n, from, err := l.pc.ReadFrom(buf)
		if err != nil {
			return err
		}
		m, err := parse(buf[:n])
		if err != nil || m.verb != "LIST" {
			continue
		}
		answer := l.library.answer(m, n, from, time.Now())
		if !l.mayAnswer(answer) {
			continue
		}
		size := 0
		for _, datagram := range answer {
			size += len(datagram)
			if _, err := l.pc.WriteTo(datagram, from); err != nil && isClosed(err) {
				return err
			}
		}
		if !l.stage.shown(from) {
			continue
		}
		l.stage.run.Message(trace.App, server, l.stage.nameOf(from), fmt.Sprintf("answers %d B", size), fmt.Sprintf("to a request of %d B", n))
	}
}

// mayAnswer tells whether the naive server still has leave to send that much.
// The careful one needs none: it does not amplify.
func (l *listServer) mayAnswer(answer [][]byte) bool {
	if l.stage.name == careful {
		return true
	}
	for _, datagram := range answer {
		l.sent += len(datagram)
	}
	if l.sent > maxAnswered && !l.silent {
		l.silent = true
		l.stage.run.Note("The naive server has sent %d MB and falls silent: here it may not be used against anybody.", maxAnswered>>20)
	}
	return !l.silent
}

// amplify is the scene of short questions with long answers: asked in somebody
// else's name, then by a client of good faith.
func (s *stage) amplify(ctx context.Context) error {
	if err := s.attack(ctx); err != nil {
		return err
	}
	c, err := s.client.DialContext(ctx, "udp", server+":"+listPort)
	if err != nil {
		return err
	}
	defer c.Close()
	begin := time.Now()
	items, err := fetch(c, s.wait)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.run.Note("The %s client of good faith: %v.", s.name, err)
	}
	s.run.Fact("items of the list that a real client got", float64(items), "items")
	s.run.Fact("time of the real client", lab.Milliseconds(time.Since(begin)), "ms")
	return nil
}

// attack sends requests that seem to come from the victim, and weighs what
// becomes of them. Where no address can be forged, the asker has its own, that
// the server knows nothing of either.
func (s *stage) attack(ctx context.Context) error {
	request := []byte("LIST\n")
	at, err := s.serverAddr(ctx, listPort)
	if err != nil {
		return err
	}
	var sent, hit int
	if s.run.Network() == lab.Link {
		out, in := s.wire.of(stranger, server), s.wire.of(server, victim)
		pc, err := s.victim.ListenPacket("udp", ":5000")
		if err != nil {
			return err
		}
		defer pc.Close()
		for range s.p.Forged {
			s.run.Message(trace.App, stranger, server, "LIST", "with the victim's address for its source")
			if err := s.stranger.Forge(netip.AddrPortFrom(s.victim.Addr(), 5000), at, request); err != nil {
				return err
			}
		}
		if err := s.run.Sleep(ctx, s.wait); err != nil {
			return err
		}
		sent, hit = s.wire.of(stranger, server).since(out).bytes, s.wire.of(server, victim).since(in).bytes
	} else {
		s.run.Note("Nobody forges an address on the loopback: the asker is only one that the server knows nothing of.")
		c, err := s.stranger.DialContext(ctx, "udp", server+":"+listPort)
		if err != nil {
			return err
		}
		defer c.Close()
		for range s.p.Forged {
			if _, err := c.Write(request); err != nil {
				return fmt.Errorf("ask for the list: %w", err)
			}
			sent += headers + len(request)
			hit += drain(c, s.wait/4)
		}
	}
	times := float64(hit) / float64(sent)
	s.run.Fact("bytes asked with, headers included", float64(sent), "bytes")
	s.run.Fact("bytes sent to an address nobody had shown to be theirs", float64(hit), "bytes")
	s.run.Fact("amplification", times, "times")
	s.run.State(trace.App, server, "amplification", fmt.Sprintf("%.1f times", times))
	if times > factor {
		s.told.Fault("its server sent %.0f times the bytes of a forged request to whoever was named in it", times)
	} else {
		s.told.Merit("its server amplified a forged request %.1f times", times)
	}
	return nil
}

// drain reads what comes until there is a pause, and returns how many bytes,
// headers included.
func drain(c net.Conn, pause time.Duration) (bytes int) {
	buf := make([]byte, largest)
	for {
		c.SetReadDeadline(time.Now().Add(pause))
		n, err := c.Read(buf)
		if err != nil {
			return bytes
		}
		bytes += headers + n
	}
}

// fetch gets the list from either server: it asks with enough bytes to be
// answered, and brings a token back if it is given one.
func fetch(c net.Conn, wait time.Duration) (items int, err error) {
	padding := strings.Repeat("x", 40)
	request := message{verb: "LIST", args: []string{padding}}
	buf := make([]byte, largest)
	var have []string
	end := time.Now().Add(wait)
	for pause := wait / 4; time.Now().Before(end); {
		if _, err := c.Write(request.datagram()); err != nil {
			return len(have), fmt.Errorf("ask for the list: %w", err)
		}
		for {
			c.SetReadDeadline(earlier(time.Now().Add(pause), end))
			n, err := c.Read(buf)
			if isTimeout(err) {
				break // ask again
			}
			if err != nil {
				return len(have), fmt.Errorf("wait for the list: %w", err)
			}
			m, err := parse(buf[:n])
			if err != nil {
				continue
			}
			if m.verb == "TOKEN" && len(m.args) == 1 && request.args[0] == padding {
				request.args[0] = m.args[0]
				break
			}
			count, ok := m.number(1, maxPieces)
			if m.verb != "ITEM" || !ok || slices.Contains(have, m.args[0]) {
				continue
			}
			if have = append(have, m.args[0]); len(have) == count {
				return count, nil
			}
		}
	}
	return len(have), errNoAnswer
}
