package listendial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// dialer dials one address.
type dialer func(ctx context.Context, address string) (net.Conn, error)

var errNoAddress = errors.New("no address to dial")

// region in-turn

// inTurn tries one address after the other, each until it has had its time.
func inTurn(ctx context.Context, dial dialer, addresses []string, patience time.Duration) (c net.Conn, err error) {
	err = errNoAddress
	for _, a := range addresses {
		each, cancel := context.WithTimeout(ctx, patience)
		c, err = dial(each, a)
		cancel()
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// endregion

// region race

// race tries the next address as soon as the one before has failed or had its
// head start, and goes on waiting for those before: the first connection wins,
// the others are given up (Happy Eyeballs, RFC 8305 section 5).
func race(ctx context.Context, dial dialer, addresses []string, stagger time.Duration, spawn func(func())) (net.Conn, error) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	type result struct {
		c   net.Conn
		err error
	}
	results := make(chan result)
	last, running := errNoAddress, 0
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			if len(addresses) == 0 {
				break
			}
			a := addresses[0]
			addresses, running = addresses[1:], running+1
			spawn(func() {
				c, err := dial(ctx, a)
				select {
				case results <- result{c, err}:
				case <-ctx.Done(): // another one has won
					if err == nil {
						c.Close()
					}
				}
			})
			next.Reset(stagger)
		case r := <-results:
			if r.err == nil {
				return r.c, nil
			}
			last, running = r.err, running-1
			next.Reset(0) // no need to wait
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if len(addresses) == 0 && running == 0 {
			return nil, last
		}
	}
}

// endregion

// dials is the scene of a server with three addresses: one that does not
// answer, as a full listener does not, one that refuses, and one that works.
func (s *stage) dials(ctx context.Context) error {
	full, fullPort, err := s.listen("10", "full")
	if err != nil {
		return err
	}
	if err := s.fillUp(ctx, full, fullPort); err != nil {
		return err
	}
	good, _, err := s.listen("11", "good")
	if err != nil {
		return err
	}
	s.serve(good, tidy)
	// The port of a connection has no listener, and nobody else can get it meanwhile.
	other, err := s.server.DialContext(ctx, "tcp", server+":11")
	if err != nil {
		return err
	}
	defer other.Close()
	names := map[string]string{server + ":10": "the one that is silent", other.LocalAddr().String(): "the one that refuses", server + ":11": "the one that works"}
	addresses := []string{server + ":10", other.LocalAddr().String(), server + ":11"}
	tried := make(chan string, len(addresses))
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		tried <- address
		end := s.run.Begin(trace.TCP, client, "dials "+names[address])
		began := time.Now()
		c, err := s.client.DialContext(ctx, "tcp", address)
		end(outcome(err))
		if errors.Is(err, syscall.ECONNREFUSED) {
			s.run.Fact("time to be refused", lab.Milliseconds(time.Since(began)), "ms")
		}
		return c, err
	}
	begin := time.Now()
	var c net.Conn
	if s.name == naive {
		c, err = inTurn(ctx, dial, addresses, s.p.Patience)
	} else {
		c, err = race(ctx, dial, addresses, s.p.Stagger, func(f func()) {
			s.run.Go(func(context.Context) error { f(); return nil })
		})
	}
	took := time.Since(begin)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.run.Note("The %s client gets no connection: %v.", s.name, err)
		s.told.Fault("it got no connection (%s)", outcome(err))
		return nil
	}
	defer c.Close()
	if c.RemoteAddr().(*net.TCPAddr).Port == int(fullPort) {
		s.run.Note("The %s client is connected to the address that should be silent: its listener was not full.", s.name)
		return nil
	}
	s.run.Fact("time to a connection", lab.Milliseconds(took), "ms")
	if again, known := s.watch.repeated(); known {
		s.run.Fact("SYNs sent again to the silent address", float64(again), "segments")
	}
	s.run.Fact("addresses tried", float64(len(tried)), "addresses")
	if s.name == naive {
		s.told.Fault("it connected after %.0f ms, as it waited for an address that does not answer", lab.Milliseconds(took))
	} else {
		s.told.Merit("it connected after %.0f ms, past an address that does not answer", lab.Milliseconds(took))
	}
	return nil
}

// outcome is how a dial ended, for people.
func outcome(err error) string {
	switch {
	case err == nil:
		return "connected"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "given up: another one was quicker"
	}
	return err.Error()
}

// fillUp makes connections to a listener where nobody accepts, until one does
// not come about. They stay open.
func (s *stage) fillUp(ctx context.Context, l net.Listener, port uint16) error {
	if err := limit(l, s.p.Backlog); err != nil {
		return fmt.Errorf("backlog of the listener: %w", err)
	}
	made := 0
	for i := range s.p.Backlog + 2 {
		patience := s.settle // a busy machine may be late, and a SYN lost
		if i > s.p.Backlog { // this one should not come about
			patience = 300*time.Millisecond + s.trip
		}
		each, cancel := context.WithTimeout(ctx, patience)
		_, err := s.client.DialContext(each, "tcp", server+":10")
		cancel()
		if err != nil {
			break // its SYN was dropped
		}
		made++
		// The next one comes when this one is in the queue, and not just on its way there.
		s.watch.until(ctx, s.settle, func() bool { return s.watch.count(server, established, port) >= made })
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.run.Message(trace.TCP, client, server, fmt.Sprintf("%d connections nobody accepts", made), fmt.Sprintf("for a backlog of %d; one more gets no answer", s.p.Backlog))
	s.run.Fact("connections made that nobody accepts", float64(made), "connections")
	return nil
}
