package listendial

import (
	"context"
	"fmt"
	"net"

	"peerlab/lab"
	"peerlab/trace"
)

// region requests

// eachItsOwn opens a connection for every request and closes it afterwards.
func eachItsOwn(dial func() (net.Conn, error), ask func(net.Conn, int) error, count int) error {
	for i := range count {
		c, err := dial()
		if err != nil {
			return err
		}
		if err := ask(c, i); err != nil {
			return err
		}
		if err := c.Close(); err != nil { // first: so TIME-WAIT is ours
			return fmt.Errorf("close: %w", err)
		}
	}
	return nil
}

// oneForAll sends all requests over one connection.
func oneForAll(dial func() (net.Conn, error), ask func(net.Conn, int) error, count int) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range count {
		if err := ask(c, i); err != nil {
			return err
		}
	}
	return nil
}

// endregion

// requests is the scene time-wait: the same requests, by many connections or one.
func (s *stage) requests(ctx context.Context) error {
	l, port, err := s.listen("8", "echo")
	if err != nil {
		return err
	}
	s.serve(l, tidy)
	send, want := eachItsOwn, s.p.Clients
	if s.name == careful {
		send, want = oneForAll, 1
	}
	dial := func() (net.Conn, error) { return s.client.DialContext(ctx, "tcp", server+":8") }
	ask := func(c net.Conn, i int) error { return s.exchange(c, fmt.Sprintf("request %d\n", i+1)) }
	end := s.run.Begin(trace.App, client, fmt.Sprintf("%d requests", s.p.Clients))
	err = send(dial, ask, s.p.Clients)
	end("all answered")
	if err != nil {
		return err
	}
	most := 0
	s.watch.until(ctx, s.settle, func() bool { // on the link the first may be over before the last begins
		most = max(most, s.watch.count(client, timeWait, port))
		return most == want || s.watch.count(client, "", port) == s.watch.count(client, timeWait, port)
	})
	if s.watch.blind() {
		return nil
	}
	s.run.Fact("in TIME-WAIT at the client", float64(most), "sockets")
	if most > 1 {
		s.told.Fault("%s left %d ports in TIME-WAIT at a time", lab.Plural(s.p.Clients, "request"), most)
	} else {
		s.told.Merit("%s left %s in TIME-WAIT", lab.Plural(s.p.Clients, "request"), lab.Plural(most, "port"))
	}
	return nil
}
