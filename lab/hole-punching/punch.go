package holepunching

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// region punch

// peer is one of the two who want to reach each other.
type peer struct {
	name  string
	socks []net.PacketConn // one, unless it guesses at random
	mail  chan letter      // what the sockets have received
}

// letter is a datagram that came in.
type letter struct {
	at   net.PacketConn
	from net.Addr
	text string
	when time.Time
}

// read receives on one socket for as long as it is open. Who knocks is
// answered at once: an answer that gets back proves both directions.
func (p *peer) read(pc net.PacketConn) error {
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return nil // closed
		}
		l := letter{pc, from, string(buf[:n]), time.Now()}
		if l.text == "punch" {
			send(pc, from, "open")
		}
		select {
		case p.mail <- l:
		default: // nobody takes them: lost, as in a full buffer
		}
	}
}

// meet says hello at both doors of the rendezvous, again and again, until that
// tells where it has seen the two.
func (p *peer) meet(ctx context.Context, doors [2]net.Addr, session int, t timing) (m meeting, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	again := time.NewTicker(t.pace)
	defer again.Stop()
	for {
		for i, door := range doors {
			send(p.socks[0], door, fmt.Sprintf("hello %d %s %d", session, p.name, i))
		}
		select {
		case l := <-p.mail:
			if m, ok = parseMeeting(l.text); ok {
				return m, true
			}
		case <-again.C:
		case <-ctx.Done():
			return m, false
		}
	}
}

// path is a way that is open in both directions.
type path struct {
	at    net.PacketConn
	to    net.Addr
	first time.Duration // until the first packet of the other one came through
}

// punch knocks at all targets, again and again, until an answer comes back.
// Its own knocking is what opens the own NAT for the other one's: neither
// gets in first, and the one who knocks a moment later is let in.
func (p *peer) punch(ctx context.Context, targets []netip.AddrPort, t timing) (w path, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	again := time.NewTicker(t.pace)
	defer again.Stop()
	begin := time.Now()
	p.knock(targets)
	for {
		select {
		case l := <-p.mail:
			if w.first == 0 && (l.text == "punch" || l.text == "open") {
				w.first = l.when.Sub(begin)
			}
			switch l.text {
			case "punch": // from where it came there is a way back, whoever was asked
				send(l.at, l.from, "punch")
			case "open":
				w.at, w.to = l.at, l.from
				return w, true
			}
		case <-again.C:
			p.knock(targets)
		case <-ctx.Done():
			return path{}, false
		}
	}
}

func (p *peer) knock(targets []netip.AddrPort) {
	for _, pc := range p.socks {
		for _, to := range targets {
			send(pc, net.UDPAddrFromAddrPort(to), "punch")
		}
	}
}

// endregion

// send sends a datagram. That one could not be sent is as good as lost: the
// next round comes, or the run is over.
func send(pc net.PacketConn, to net.Addr, text string) { _, _ = pc.WriteTo([]byte(text), to) }

// timing is how often a step is repeated, and for how long.
type timing struct{ pace, wait time.Duration }

// meeting is what the rendezvous tells a peer: where it has seen it, and the
// other one, at each of its doors.
type meeting struct{ me, other [2]netip.AddrPort }

func (m meeting) String() string {
	return fmt.Sprintf("meet %s %s %s %s", m.me[0], m.me[1], m.other[0], m.other[1])
}

func parseMeeting(text string) (m meeting, ok bool) {
	words := strings.Fields(text)
	if len(words) != 5 || words[0] != "meet" {
		return m, false
	}
	for i, at := range []*netip.AddrPort{&m.me[0], &m.me[1], &m.other[0], &m.other[1]} {
		var err error
		if *at, err = netip.ParseAddrPort(words[i+1]); err != nil {
			return m, false
		}
	}
	return m, true
}
