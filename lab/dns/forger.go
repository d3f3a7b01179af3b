package dnslab

import (
	"fmt"
	"net"

	"github.com/miekg/dns"

	"peerlab/lab"
	"peerlab/trace"
)

// forgedAddress is where the forger wants people to go.
const forgedAddress = "203.0.113.66"

// forger sends answers that nobody asked it for. It is not on the way between
// client and server and sees nothing of what goes there.
type forger struct {
	run  *lab.Run
	pc   net.PacketConn
	name string // to be forged
	sent int
}

func newForger(r *lab.Run, name string) (*forger, error) {
	host, err := r.Host(forgerName)
	if err != nil {
		return nil, err
	}
	pc, err := host.ListenPacket("udp", ":0")
	if err != nil {
		return nil, err
	}
	return &forger{run: r, pc: pc, name: name}, nil
}

// region forge

// forge sends so many answers to a socket, each with another guess of the id.
// They are there before the answer of the server. Real forgers also write the
// server's address into them as the sender, which takes a raw socket and a
// network that lets it pass; and they have to guess the port, which is told
// them here.
func (f *forger) forge(to net.Addr, count int) error {
	for i := range count {
		m := new(dns.Msg)
		m.SetQuestion(f.name, dns.TypeA)
		m.Response, m.Authoritative, m.Id = true, true, dns.Id()
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: f.name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 86400},
			A:   net.ParseIP(forgedAddress),
		}}
		packed, err := m.Pack()
		if err != nil {
			return fmt.Errorf("pack: %w", err)
		}
		if _, err := f.pc.WriteTo(packed, to); err != nil {
			return fmt.Errorf("forged answer: %w", err)
		}
		if i == 0 {
			record(f.run, forgerName, clientName, m, packed, UDP)
		}
	}
	f.sent += count
	f.run.State(trace.DNS, forgerName, "forged answers sent", fmt.Sprint(f.sent))
	return nil
}

// endregion
