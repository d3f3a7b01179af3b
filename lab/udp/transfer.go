package udp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// carefulPiece fits into one packet nearly everywhere, with its first line.
const carefulPiece = 1100

// region hope

// sendAndHope sends all pieces as fast as it can write. Every Write succeeds.
func sendAndHope(c net.Conn, pieces [][]byte) error {
	for i, piece := range pieces {
		m := say("DATA", i, len(pieces))
		m.body = piece
		if _, err := c.Write(m.datagram()); err != nil {
			return fmt.Errorf("send piece %d: %w", i, err)
		}
	}
	return nil
}

// endregion

// region reliable

// sendReliably sends pieces until each is acknowledged. One loop does it all:
// send what is due, then wait for an acknowledgement, but no longer than until
// the next timeout.
func sendReliably(ctx context.Context, c net.Conn, pieces [][]byte, s *sender, sent func(number int, s *sender)) error {
	s.pieces = make([]piece, len(pieces))
	buf := make([]byte, maxLine)
	for !s.done() {
		numbers, err := s.take(time.Now())
		if err != nil {
			return err
		}
		for _, i := range numbers {
			m := say("DATA", i, len(pieces))
			m.body = pieces[i]
			if _, err := c.Write(m.datagram()); err != nil {
				return fmt.Errorf("send piece %d: %w", i, err)
			}
			sent(i, s)
		}
		c.SetReadDeadline(s.wake())
		n, err := c.Read(buf)
		if err != nil && (!isTimeout(err) || ctx.Err() != nil) {
			return fmt.Errorf("wait for an acknowledgement: %w", err)
		}
		m, err := parse(buf[:n])
		next, ok := m.number(0, len(pieces)+1)
		got, ok2 := m.number(1, len(pieces))
		if err == nil && m.verb == "ACK" && ok && ok2 {
			s.ack(time.Now(), next, got)
		}
	}
	return nil
}

// endregion

// transfer is the scene of a file that goes from the client to the server.
func (s *stage) transfer(ctx context.Context) error {
	c, err := s.client.DialContext(ctx, "udp", server+":"+filePort)
	if err != nil {
		return err
	}
	defer c.Close()
	size := s.p.Piece
	if s.name == careful {
		size = carefulPiece
	}
	file := content(s.p.Size << 10)
	pieces := cut(file, size)
	before, back := s.wire.of(client, server), s.wire.of(server, client)
	full, unknown := s.files.full()
	end := s.run.Begin(trace.App, client, fmt.Sprintf("sends a file in %s", lab.Plural(len(pieces), "piece")))
	begin := time.Now()
	send := &sender{window: s.p.Window}
	var failed error
	if s.name == naive {
		failed = sendAndHope(c, pieces)
	} else {
		failed = sendReliably(ctx, c, pieces, send, s.sent)
	}
	took := time.Since(begin)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	end(ended(failed))
	if err := s.settle(ctx, c.LocalAddr()); err != nil {
		return err
	}
	u := s.files.of(c.LocalAddr())
	if u == nil { // not one piece got there
		u = &upload{receiver: &appending{}}
	}
	s.files.state(u, len(pieces))
	nowFull, err := s.files.full()
	dropped := "" // for people
	if err := errors.Join(unknown, err); err != nil {
		s.run.Note("What the full receive buffer drops can be seen on the link only: this machine does not tell it (%v).", err)
	} else {
		s.run.Fact("dropped by the full receive buffer", float64(nowFull-full), "datagrams")
		dropped = fmt.Sprintf(" (its full buffer dropped %d)", nowFull-full)
	}
	s.outcome(u, file, pieces, took, dropped, failed)
	if s.name == careful {
		s.run.Fact("pieces sent again", float64(send.again), "pieces")
	}
	if s.run.Network() == lab.Link {
		there, back := s.wire.of(client, server).since(before), s.wire.of(server, client).since(back)
		s.run.Fact("packets sent, both ways", float64(there.packets+back.packets), "packets")
		s.run.Fact("packets lost on the link, both ways", float64(there.lost+back.lost), "packets")
		s.run.Fact("packets duplicated on the link", float64(there.copies+back.copies), "packets")
	}
	return nil
}

// ended says how a sender ended, as it sees it.
func ended(err error) string {
	if err != nil {
		return err.Error()
	}
	return "every Write succeeded"
}

// sent charts what the sender has on its way.
func (s *stage) sent(number int, now *sender) {
	s.run.Sample(trace.App, client, "pieces on their way", float64(now.flying()), "pieces")
	s.run.Sample(trace.App, client, "timeout", lab.Milliseconds(now.rtt.timeout(1)), "ms")
	if tries := now.pieces[number].tries; tries > 1 {
		s.run.Message(trace.App, client, server, fmt.Sprintf("DATA %d again", number+1), fmt.Sprintf("sent for the %d. time", tries))
	}
}

// settle waits until no piece has come for as long as the patience is.
func (s *stage) settle(ctx context.Context, from net.Addr) error {
	quiet := time.Now()
	for {
		if u := s.files.of(from); u != nil && u.last.After(quiet) {
			quiet = u.last
		}
		left := s.wait/2 - time.Since(quiet)
		if left <= 0 {
			return nil
		}
		if err := s.run.Sleep(ctx, left); err != nil {
			return err
		}
	}
}

// outcome tells what is at the server.
func (s *stage) outcome(u *upload, file []byte, pieces [][]byte, took time.Duration, dropped string, failed error) {
	s.files.mu.Lock()
	got := bytes.Clone(u.file())
	s.files.mu.Unlock()
	right := 0
	for i := range min(len(file), len(got)) {
		if got[i] == file[i] {
			right++
		}
	}
	missing := len(pieces) - len(u.seen)
	share := 100 * float64(right) / float64(max(len(file), len(got)))
	s.run.Fact("of the file in its place", share, "%")
	s.run.Fact("pieces of the file", float64(len(pieces)), "pieces")
	s.run.Fact("pieces missing", float64(missing), "pieces")
	s.run.Fact("pieces that came twice", float64(u.twice), "pieces")
	s.run.Fact("pieces overtaken", float64(u.overtaken), "pieces")
	s.run.Fact("time the sender took", lab.Milliseconds(took), "ms")
	if bytes.Equal(got, file) {
		s.told.Merit("the file arrived whole")
		return
	}
	s.told.Fault("its server lacks %s of the file%s, got %d twice and %d late, and the sender %s",
		lab.Plural(missing, "piece"), dropped, u.twice, u.overtaken, map[bool]string{true: "saw no error", false: "gave up"}[failed == nil])
}

// content is a file in which every place tells itself from the others.
func content(size int) []byte {
	file := make([]byte, 0, size+16)
	for i := 0; len(file) < size; i++ {
		file = fmt.Appendf(file, "%08d\n", i*9)
	}
	return file[:size]
}

func cut(file []byte, size int) (pieces [][]byte) {
	for len(file) > size {
		pieces = append(pieces, file[:size])
		file = file[size:]
	}
	return append(pieces, file)
}
