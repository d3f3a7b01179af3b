package udp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// headers are those of IPv4 and UDP, in bytes.
const headers = 20 + 8

// region buffer

// readInto receives one datagram into a buffer of that size. What is longer is
// cut off, and nobody says so: neither n nor err shows it.
func readInto(pc net.PacketConn, size int) (datagram []byte, err error) {
	buf := make([]byte, size)
	n, _, err := pc.ReadFrom(buf)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return buf[:n], nil
}

// endregion

// small is the buffer of many a first program, in bytes.
const small = 1024

// sizes is the scene of datagrams from short to too long: what arrives of each,
// and in how many packets it goes.
func (s *stage) sizes(ctx context.Context) error {
	size := small // of the buffer
	if s.name == careful {
		size = largest + 1 // one that fills it was too long
	}
	pc, err := s.server.ListenPacket("udp", ":13")
	if err != nil {
		return err
	}
	defer pc.Close()
	c, err := s.client.DialContext(ctx, "udp", server+":13")
	if err != nil {
		return err
	}
	defer c.Close()
	cut, most := 0, 0
	for i, length := range s.p.lengths() {
		sent := bytes.Repeat([]byte{byte('a' + i)}, length)
		before := s.wire.of(client, server)
		_, err := c.Write(sent)
		if errors.Is(err, syscall.EMSGSIZE) {
			s.cell(length, "not sent: message too long", 0)
			continue
		}
		if err != nil {
			return fmt.Errorf("send %d bytes: %w", length, err)
		}
		pc.SetReadDeadline(time.Now().Add(s.wait))
		got, err := arrival(pc, size, sent[0])
		went := s.wire.of(client, server).since(before)
		packets := went.packets - went.copies
		most = max(most, packets)
		switch {
		case isTimeout(err):
			s.cell(length, fmt.Sprintf("nothing: %d of %s lost", went.lost, lab.Plural(packets, "packet")), packets)
		case err != nil:
			return err
		case len(got) < length:
			cut++
			s.cell(length, fmt.Sprintf("the first %d bytes", len(got)), packets)
		default:
			s.cell(length, "whole", packets)
		}
	}
	s.run.Fact("datagrams cut short", float64(cut), "datagrams")
	if s.run.Network() == lab.Link {
		s.run.Fact("most packets of a datagram", float64(most), "packets")
	}
	if cut > 0 {
		s.told.Fault("it cut %s short without an error", lab.Plural(cut, "datagram"))
	} else {
		s.told.Merit("no datagram was cut short")
	}
	return nil
}

// lengths are those tried, in bytes: at the edge of one packet, and at that of a datagram.
func (p *Params) lengths() []int {
	whole := p.MTU - headers
	all := []int{500, whole, whole + 1, 4000, largest, largest + 1}
	slices.Sort(all)
	return slices.Compact(all)
}

// arrival is the datagram that begins with mark; copies of those before it are
// passed over.
func arrival(pc net.PacketConn, size int, mark byte) ([]byte, error) {
	for {
		got, err := readInto(pc, size)
		if err != nil || len(got) > 0 && got[0] == mark {
			return got, err
		}
	}
}

// cell tells what became of a datagram.
func (s *stage) cell(length int, what string, packets int) {
	s.run.Message(trace.UDP, client, server, fmt.Sprintf("a datagram of %d B", length), what)
	if packets > 0 {
		what += " (" + lab.Plural(packets, "packet") + ")"
	}
	s.table.Cell(place(length, s.name, what))
}

// place is the cell of a datagram of one of the programs.
func place(length int, program, what string) (row, column, value string, more map[string]string) {
	column = "naive: a buffer of 1024 B"
	if program == careful {
		column = "careful: room for the largest"
	}
	return fmt.Sprintf("%d B", length), column, what, nil
}
