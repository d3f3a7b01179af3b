package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"peerlab/guard"
)

const (
	// firstInterval is before the first request is repeated, when nothing is known of
	// the round trip; it doubles. Later requests go by the round trip.
	firstInterval = 400 * time.Millisecond
	minInterval   = 400 * time.Millisecond
	// grace is for the other servers, at least, once one has answered.
	grace = time.Second
	// reachTime bounds the attempt to reach a server over TCP.
	reachTime = 3 * time.Second
)

// DiscoverConfig says how DiscoverBehavior goes about it.
type DiscoverConfig struct {
	// Open opens a socket on the host that is looked at; five are used. Required.
	Open Opener
	// Servers are STUN servers, IPv4, 1 to 8. The first that has another address or
	// port to answer from (OTHER-ADDRESS) is asked most; the others tell how the
	// host is seen from there.
	Servers []netip.AddrPort
	// Dial, if not nil, connects over TCP to tell whether it is UDP that does not
	// get through, when no server answers.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Watch, if not nil, hears of every test when it begins, and the function that
	// it returns of how it ended. Several goroutines call it.
	Watch func(name string) (end func(Test))
}

// Discovery is what was found out, and how.
type Discovery struct {
	Behavior Behavior `json:"behavior"`
	// Local is a socket of the host, and Mapped where the server saw it; not valid
	// without an answer.
	Local  netip.AddrPort `json:"local,omitzero"`
	Mapped netip.AddrPort `json:"mapped,omitzero"`
	// Server is the one that was asked most, and Other what it answers from besides.
	Server netip.AddrPort `json:"server,omitzero"`
	Other  netip.AddrPort `json:"other,omitzero"`
	// RoundTrip is that of the first answer, from the first request on.
	RoundTrip time.Duration `json:"round_trip_ns,omitempty"`
	Tests     []Test        `json:"tests"`
	// Untold is what could not be told and why, a sentence each.
	Untold []string `json:"untold,omitempty"`
}

// ErrServers says that the list of servers can't be asked.
var ErrServers = errors.New("want 1 to 8 STUN servers with IPv4 addresses")

// DiscoverBehavior finds out how what stands between a host and STUN servers
// treats UDP (RFC 5780 section 4). How much can be told depends on the servers: two
// addresses with two ports tell all; two ports of one tell whether mapping depends on
// the port and whether filtering does; one port, how the host is seen. What a server claims to be its other
// address is believed only if it is of the same scope as its own: a public
// server can't have packets sent into a private network.
//
// No answer at all is a result, not an error: Behavior.Blocked if TCP gets
// through, else nothing is known. Errors are ErrServers, of opening sockets, and of ctx. It takes a few round trips
// and, where filters swallow answers, four times the longer of 400 ms and a round trip.
func DiscoverBehavior(ctx context.Context, cfg DiscoverConfig) (Discovery, error) {
	if len(cfg.Servers) == 0 || len(cfg.Servers) > maxSTUNServers || slices.ContainsFunc(cfg.Servers, func(s netip.AddrPort) bool { return !s.Addr().Is4() || s.Port() == 0 }) {
		return Discovery{}, ErrServers
	}
	if cfg.Watch == nil {
		cfg.Watch = func(string) func(Test) { return func(Test) {} }
	}
	d := &discoverer{cfg: cfg, pace: pace{firstInterval, true}}
	defer d.close()
	for _, s := range []**socket{&d.mapping, &d.filtering, &d.hairpins[0], &d.hairpins[1]} {
		opened, err := openSocket(cfg.Open)
		if err != nil {
			return Discovery{}, err
		}
		*s = opened
		d.open = append(d.open, opened)
	}
	if err := d.run(ctx); err != nil {
		return d.found, err
	}
	return d.found, nil
}

// discoverer is a discovery under way. Mapping and filtering have a socket each:
// asking the other addresses for the first would open the filter for the second.
type discoverer struct {
	cfg       DiscoverConfig
	mapping   *socket
	filtering *socket
	hairpins  [2]*socket
	open      []*socket
	pace      pace
	found     Discovery

	mu    sync.Mutex
	tests []Test
}

func (d *discoverer) close() {
	for _, s := range d.open {
		s.close()
	}
}

// ask puts a question and keeps the test.
func (d *discoverer) ask(ctx context.Context, q question) Test {
	if q.pace = d.pace; !q.answerer.IsValid() {
		q.answerer = q.to
	}
	end := d.cfg.Watch(q.name)
	t, err := q.put(ctx)
	if err != nil {
		t.Error = "not waited for any longer"
	}
	d.keep(t)
	end(t)
	return t
}

func (d *discoverer) keep(t Test) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tests = append(d.tests, t)
}

func (d *discoverer) run(ctx context.Context) error {
	e := evidence{seen: d.askServers(ctx)}
	server := d.choose(e.seen)
	if server == nil {
		d.found.Tests = d.tests
		if err := ctx.Err(); err != nil {
			return err
		}
		d.silent(ctx)
		return ctx.Err()
	}
	d.pace = pace{interval: max(minInterval, server.Took+server.Took/4)}
	d.found.Server, d.found.Mapped, d.found.RoundTrip = server.Asked, server.Mapped, server.Took
	bound := addrPortOf(d.mapping.conn.LocalAddr())
	d.found.Local = netip.AddrPortFrom(sourceToward(server.Asked, bound.Addr()), bound.Port())
	e.server, e.other = server.Asked, d.found.Other

	var all sync.WaitGroup
	var seen []Test
	all.Go(func() { seen = d.askCorners(ctx, server.Asked) })
	all.Go(func() { e.changes = d.askChanges(ctx, server.Asked) })
	all.Go(func() { e.hairpin = d.askHairpin(ctx, server.Asked) })
	all.Wait()
	e.seen = append(e.seen, seen...)
	e.local, e.port = ownAddresses(bound.Addr()), bound.Port()
	d.found.Tests = d.tests
	d.found.Behavior, d.found.Untold = e.judge()
	return ctx.Err()
}

// askServers asks all servers from one socket.
func (d *discoverer) askServers(ctx context.Context) []Test {
	answers := make([]Test, len(d.cfg.Servers))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i, server := range d.cfg.Servers {
		all.Go(func() {
			answers[i] = d.ask(ctx, question{name: fmt.Sprintf("mapping toward %s", server), from: d.mapping, to: server})
			if answers[i].Answered() {
				time.AfterFunc(max(grace, 4*answers[i].Took), cancel)
			}
		})
	}
	all.Wait()
	return answers
}

// choose picks the server to be asked more: the first with a usable other
// address, else the first that answered. Nil: none did.
func (d *discoverer) choose(answers []Test) *Test {
	var first *Test
	for i := range answers {
		t := &answers[i]
		if !t.Answered() {
			continue
		}
		if t.offers() {
			d.found.Other = t.other
			return t
		}
		if first == nil {
			first = t
		}
	}
	return first
}

// offers tells whether the server has another address or port that may be asked. It
// must not have packets sent to networks that are not its own, or to low ports,
// where what is no STUN server could take offence.
func (t Test) offers() bool {
	const lowest = 1024
	return t.other.IsValid() && t.other.Port() != t.Asked.Port() && t.other.Port() >= lowest &&
		guard.Classify(t.other.Addr()).Scope() == guard.Classify(t.Asked.Addr()).Scope()
}

// askCorners asks how the host is seen from the server's other ports and addresses.
func (d *discoverer) askCorners(ctx context.Context, server netip.AddrPort) []Test {
	other := d.found.Other
	if !other.IsValid() {
		return nil
	}
	corners := []netip.AddrPort{netip.AddrPortFrom(server.Addr(), other.Port())}
	if other.Addr() != server.Addr() {
		corners = append(corners, netip.AddrPortFrom(other.Addr(), server.Port()), other)
	}
	answers := make([]Test, len(corners))
	var all sync.WaitGroup
	for i, corner := range corners {
		all.Go(func() {
			answers[i] = d.ask(ctx, question{name: fmt.Sprintf("mapping toward %s", corner), from: d.mapping, to: corner})
		})
	}
	all.Wait()
	return answers
}

// askChanges asks for answers from where nothing was sent to.
func (d *discoverer) askChanges(ctx context.Context, server netip.AddrPort) (c changes) {
	other := d.found.Other
	if !other.IsValid() {
		return c
	}
	// The mapping has to be there, and to let this server in, before others try.
	if !d.ask(ctx, question{name: "filtering, a mapping for it", from: d.filtering, to: server}).Answered() {
		return c
	}
	var both sync.WaitGroup
	both.Go(func() {
		c.port = d.ask(ctx, question{name: "filtering, answer from another port", from: d.filtering, to: server,
			answerer: netip.AddrPortFrom(server.Addr(), other.Port()), attrs: changeRequest(changePort)})
	})
	if other.Addr() != server.Addr() {
		both.Go(func() {
			c.address = d.ask(ctx, question{name: "filtering, answer from another address", from: d.filtering, to: server,
				answerer: other, attrs: changeRequest(changeAddress | changePort)})
		})
	}
	both.Wait()
	return c
}

// silent judges when no server has answered.
func (d *discoverer) silent(ctx context.Context) {
	if !slices.ContainsFunc(d.tests, func(t Test) bool { return t.Sent > 0 }) {
		d.found.Untold = []string{fmt.Sprintf("No request could be sent: %s.", cleanTo(d.tests[0].Error, maxError))}
		return
	}
	if d.cfg.Dial == nil {
		d.found.Untold = []string{"No STUN server answered: they may be down, UDP may be blocked, or there is no way to the internet from here."}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	var errs []error
	for _, server := range d.cfg.Servers {
		conn, err := d.cfg.Dial(ctx, "tcp", server.String())
		if err == nil {
			conn.Close()
			d.found.Behavior.Blocked = true
			d.found.Server = server
			return
		}
		errs = append(errs, err)
	}
	d.found.Untold = []string{fmt.Sprintf("No STUN server answered, and none is reached over TCP either (%s): there may be no way to the internet from here, or the servers are down.",
		cleanTo(errors.Join(errs...).Error(), maxError))}
}

// ownAddresses are the addresses a socket may have: the one it is bound to, or if
// that is none all of this host's.
func ownAddresses(bound netip.Addr) []netip.Addr {
	if !bound.IsUnspecified() {
		return []netip.Addr{bound}
	}
	all, err := LocalAddresses()
	if err != nil {
		return nil
	}
	return all
}

// sourceToward is the address that packets to a server come from: the one that the
// socket is bound to, or what the system says. Nothing is sent.
func sourceToward(server netip.AddrPort, bound netip.Addr) netip.Addr {
	if !bound.IsUnspecified() {
		return bound
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return bound
	}
	defer conn.Close()
	return addrPortOf(conn.LocalAddr()).Addr()
}
