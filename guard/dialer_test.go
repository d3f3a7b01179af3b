package guard_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peerlab/guard"
	"peerlab/need"
)

// names answers lookups from a list, one answer after the other, the last for ever.
type names struct {
	answers [][]string
	asked   atomic.Int32
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if len(n.answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	i := min(int(n.asked.Add(1))-1, len(n.answers)-1)
	var found []netip.Addr
	for _, a := range n.answers[i] {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

// target is a listener on the loopback that counts who came.
type target struct {
	addr netip.AddrPort
	came atomic.Int32
}

func newTarget(t *testing.T) *target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &target{addr: l.Addr().(*net.TCPAddr).AddrPort()}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.came.Add(1)
			_ = c.Close()
		}
	}()
	return s
}

// own allows the target as a lab allows its own server.
func (s *target) own(a netip.AddrPort) bool { return a == s.addr }

func (s *target) at(host string) string {
	_, port, _ := net.SplitHostPort(s.addr.String())
	return net.JoinHostPort(host, port)
}

func TestDialerRefuses(t *testing.T) {
	s := newTarget(t)
	for _, c := range []struct {
		host    string
		answers []string
		reason  guard.Reason
		text    string
	}{
		{"127.0.0.1", nil, "loopback", "connecting to 127.0.0.1 is not allowed here: it is a loopback address"},
		{"::1", nil, "loopback", "::1"},
		{"::ffff:127.0.0.1", nil, "loopback", "127.0.0.1"},
		{"64:ff9b::7f00:1", nil, "loopback", "64:ff9b::7f00:1"},
		{"2002:7f00:1::", nil, "loopback", "2002:7f00:1::"},
		{"0.0.0.0", nil, "unspecified", "0.0.0.0"},
		{"169.254.169.254", nil, "link-local", "169.254.169.254"},
		{"inside.test", []string{"10.0.0.1"}, "private", "connecting to inside.test is not allowed here: it leads to 10.0.0.1, a private address"},
		{"mapped.test", []string{"::ffff:127.0.0.1"}, "loopback", "leads to 127.0.0.1"},
		{"many.test", []string{"10.0.0.1", "127.0.0.1", "fc00::1"}, "private", "many.test"},
	} {
		d := guard.Dialer{Policy: guard.Public, Resolver: &names{answers: [][]string{c.answers}}, Timeout: 5 * time.Second}
		conn, err := d.DialContext(t.Context(), "tcp", s.at(c.host))
		if err == nil {
			_ = conn.Close()
		}
		var refused *guard.Refused
		if !errors.As(err, &refused) || refused.Reason != c.reason || refused.Host != c.host || refused.Addr.Port() != s.addr.Port() {
			t.Errorf("%s: %v (%+v), want reason %s", c.host, err, refused, c.reason)
		} else if !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q does not say %q", c.host, err, c.text)
		}
	}
	if n := s.came.Load(); n != 0 {
		t.Errorf("the target was reached %d times", n)
	}
}

func TestDialerIsNotReboundBySecondAnswers(t *testing.T) {
	s := newTarget(t)
	// The first answer is refused, the second would be the target.
	for _, first := range [][]string{{"10.0.0.1"}, {"192.0.2.1"}} {
		r := &names{answers: [][]string{first, {"127.0.0.1"}}}
		d := guard.Dialer{Policy: guard.Public, Resolver: r, Timeout: time.Second}
		if c, err := d.DialContext(t.Context(), "tcp", s.at("rebind.test")); err == nil {
			_ = c.Close()
			t.Errorf("connected after %v", first)
		}
		if n := r.asked.Load(); n != 1 {
			t.Errorf("the name was looked up %d times", n)
		}
	}
	// The target is allowed on the first answer; the second one must not count.
	r := &names{answers: [][]string{{"127.0.0.1"}, {"10.0.0.1"}}}
	d := guard.Dialer{Policy: guard.Public, Extra: s.own, Resolver: r, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", s.at("own.test"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if n := r.asked.Load(); n != 1 {
		t.Errorf("the name was looked up %d times", n)
	}
}

func TestDialerSkipsWhatIsRefused(t *testing.T) {
	s := newTarget(t)
	r := &names{answers: [][]string{{"10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"}}}
	d := guard.Dialer{Policy: guard.Public, Extra: s.own, Resolver: r, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", s.at("mixed.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.RemoteAddr().String(); got != s.addr.String() {
		t.Errorf("connected to %s, not %s", got, s.addr)
	}
}

func TestDialerTriesTheNextAddress(t *testing.T) {
	s := newTarget(t)
	l, err := net.Listen("tcp", "127.0.0.2:0") // a port nobody listens on at 127.0.0.2
	if err != nil {
		need.Missing(t, "no second loopback address: "+err.Error())
	}
	_ = l.Close()
	d := guard.Dialer{Policy: guard.Any, Resolver: &names{answers: [][]string{{"127.0.0.2", "127.0.0.1"}}}, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", s.at("two.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.RemoteAddr().String(); got != s.addr.String() {
		t.Errorf("connected to %s, not %s", got, s.addr)
	}
}

func TestDialerPorts(t *testing.T) {
	s := newTarget(t)
	web := func(p uint16) bool { return p == 80 || p == 443 }
	d := guard.Dialer{Policy: guard.Any, Port: web, Timeout: 5 * time.Second}
	var refused *guard.Refused
	if _, err := d.DialContext(t.Context(), "tcp", s.addr.String()); !errors.As(err, &refused) || refused.Reason != guard.ReasonPort {
		t.Errorf("another port: %v", err)
	}
	d.Extra = s.own
	c, err := d.DialContext(t.Context(), "tcp", s.addr.String())
	if err != nil {
		t.Fatalf("the lab's own server: %v", err)
	}
	_ = c.Close()
	d = guard.Dialer{Policy: guard.Any}
	if _, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:0"); !errors.As(err, &refused) {
		t.Errorf("port 0: %v", err)
	}
}

func TestDialerBadInput(t *testing.T) {
	d := guard.Dialer{Policy: guard.Any, Resolver: &names{}, Timeout: 5 * time.Second}
	for _, c := range []struct{ network, address, text string }{
		{"unix", "/run/x", "network is not"},
		{"tcp", "example.test", "missing port"},
		{"tcp", "example.test:http", "port is not a number"},
		{"tcp", "example.test:65536", "port is not a number"},
		{"tcp", ":80", "empty host name"},
		{"tcp", "example.test:80", "no such host"},
		{"tcp6", "127.0.0.1:80", "127.0.0.1"},
	} {
		if conn, err := d.DialContext(t.Context(), c.network, c.address); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s %s: %v, %v", c.network, c.address, conn, err)
		}
	}
	empty := guard.Dialer{Resolver: &names{answers: [][]string{{}}}}
	if _, err := empty.DialContext(t.Context(), "tcp", "empty.test:80"); err == nil || !strings.Contains(err.Error(), "no addresses") {
		t.Errorf("a name without addresses: %v", err)
	}
}

func TestDialerEndsInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newTarget(t)
	d := guard.Dialer{Policy: guard.Any}
	if _, err := d.DialContext(ctx, "tcp", s.addr.String()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled dial: %v", err)
	}
	d = guard.Dialer{Policy: guard.Any, Timeout: time.Nanosecond}
	var timeout net.Error
	if _, err := d.DialContext(t.Context(), "tcp", s.addr.String()); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a dial in a nanosecond: %v", err)
	}
}
