package lab_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/procnet"
)

// A dial stays without an answer, as somebody from outside fills the listener.
// Whose that one's connection is, and whose the dial, is told all the same.
func TestADialThatWaitsHoldsUpNobody(t *testing.T) {
	address, outsider := make(chan string, 1), make(chan net.Addr, 1)
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		_, client, l, err := pair(r)
		if err != nil {
			return err
		}
		if err := noRoom(l); err != nil {
			return err
		}
		address <- l.Addr().String()
		from := <-outsider
		r.Go(func(ctx context.Context) error {
			_, err := client.DialContext(ctx, "tcp", "server:80")
			return err // when the run is over
		})
		waits, err := unanswered(ctx, l)
		if err != nil {
			return err
		}
		if got := r.HostOf(from); got != "" {
			return fmt.Errorf("somebody from outside is taken for %q", got)
		}
		if got := r.HostOf(waits); got != "client" {
			return fmt.Errorf("the client that dials is taken for %q", got)
		}
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	c, err := net.Dial("tcp", <-address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	outsider <- c.LocalAddr()
	wantOutcome(t, rec, lab.Finished, "")
}

// noRoom lets one connection wait at a listener, and no more.
func noRoom(l net.Listener) error {
	raw, err := l.(interface{ NetListener() net.Listener }).NetListener().(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), 0) })
	if err != nil {
		return err
	}
	return failed
}

// unanswered waits for a dial to the listener that has no answer, and tells
// where it comes from.
func unanswered(ctx context.Context, l net.Listener) (net.Addr, error) {
	to := netip.MustParseAddrPort(l.Addr().String())
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		dials, err := procnet.TCP(func(s procnet.Socket) bool { return s.Remote == to && s.State.String() == "SYN-SENT" })
		if err != nil {
			return nil, err
		}
		if len(dials) > 0 {
			return net.TCPAddrFromAddrPort(dials[0].Local), nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
