package listendial

import (
	"context"
	"fmt"
	"io"
	"net"

	"peerlab/lab"
	"peerlab/trace"
)

// region leaky

// leaky sends everything back until the client has closed. It returns, and
// nobody closes the server's end.
func leaky(c net.Conn) {
	io.Copy(c, c)
}

// endregion

// region tidy

// tidy does the same and closes, however it ends.
func tidy(c net.Conn) {
	defer c.Close()
	io.Copy(c, c)
}

// endregion

// abandoned is the scene close-wait: clients come, say a line and go.
func (s *stage) abandoned(ctx context.Context) error {
	handle, live, stay := leaky, "leaky", s.p.Clients
	if s.name == careful {
		handle, live, stay = tidy, "tidy", 0
	}
	l, port, err := s.listen("7", live)
	if err != nil {
		return err
	}
	s.serve(l, handle)
	for i := range s.p.Clients {
		c, err := s.client.DialContext(ctx, "tcp", server+":7")
		if err != nil {
			return err
		}
		if err := s.exchange(c, fmt.Sprintf("client %d\n", i+1)); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	s.run.Message(trace.App, client, server, lab.Plural(s.p.Clients, "client")+" came and went", "each closed its socket")
	// It takes a moment until only what stays is there; what there is after the
	// patience is told in any case.
	s.watch.until(ctx, s.settle, func() bool {
		return s.watch.count(server, "", port) == stay && s.watch.count(server, closeWait, port) == stay &&
			s.watch.count(client, established, port) == 0 && s.watch.count(client, finWait1, port) == 0
	})
	if s.watch.blind() {
		return nil
	}
	left := s.watch.count(server, closeWait, port)
	s.run.Fact("left in CLOSE-WAIT at the server", float64(left), "sockets")
	s.run.Fact("left in FIN-WAIT2 at the clients", float64(s.watch.count(client, finWait2, port)), "sockets")
	if left > 0 {
		s.told.Fault("%s left in CLOSE-WAIT, as the server never closed what its clients had closed", lab.Plural(left, "socket"))
	} else {
		s.told.Merit("no socket stays in CLOSE-WAIT")
	}
	return nil
}

// exchange sends a line and reads it back.
func (s *stage) exchange(c net.Conn, line string) error {
	if _, err := io.WriteString(c, line); err != nil {
		return fmt.Errorf("send a line: %w", err)
	}
	if _, err := io.ReadFull(c, make([]byte, len(line))); err != nil {
		return fmt.Errorf("read it back: %w", err)
	}
	return nil
}
