package turnsrv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"peerlab/guard"
)

// ErrCorners is returned by NewResponder for sockets that do not make two ports
// of one address, or of two.
var ErrCorners = errors.New("turnsrv: not two UDP sockets of each address")

// Corners are the sockets of NAT behaviour discovery, by address and port: the
// first is where clients ask. Both rows have the same two ports. The second row
// may be nil: then there is one address, and what takes two can't be told.
type Corners [2][2]net.PacketConn

// place is a corner: which address, which port.
type place struct{ address, port int }

// ResponderConfig is what a Responder needs to know; its zero value is fine.
type ResponderConfig struct {
	Rate Rate
	// Public is the address that clients on the internet reach this host by, if it
	// does not have it itself (a 1:1 NAT).
	Public netip.Addr
	// Logger hears of a socket that fails. Default: nothing is logged.
	Logger *slog.Logger
}

// Responder answers Binding requests as a server of NAT behaviour discovery
// (RFC 5780 section 6): with RESPONSE-ORIGIN and OTHER-ADDRESS, and by
// CHANGE-REQUEST from its other port or address. It has no credentials, so
// anybody may have it send to whomever he claims to be, from any corner; an
// answer is one datagram of four addresses at most, and Rate bounds them.
//
// Where there is one address, OTHER-ADDRESS names it again with the other port,
// and a request to change the address is refused with 420. So is PADDING, with which
// an answer could be grown. RESPONSE-PORT, with which it could be aimed, leads to ports
// that have asked here themselves lately; for others the answer is 403.
type Responder struct {
	corners Corners
	two     bool // addresses
	public  netip.Addr
	limiter *limiter
	callers *callers
	log     *slog.Logger
	dropped *tally
	count   atomic.Uint64
	reading sync.WaitGroup
}

// NewResponder makes a responder on sockets the caller has opened, of this host
// or of hosts of an emulated network. Unless it fails the Responder owns them:
// Run reads and in the end closes them.
func NewResponder(cfg ResponderConfig, corners Corners) (*Responder, error) {
	if cfg.Rate.PerSecond < 0 || cfg.Rate.Burst < 0 {
		return nil, fmt.Errorf("%w: rate %g, burst %d", ErrLimit, cfg.Rate.PerSecond, cfg.Rate.Burst)
	}
	cfg.Rate.orDefault()
	limiter, err := newLimiter(cfg.Rate)
	if err != nil {
		return nil, fmt.Errorf("making the rate limiter: %w", err)
	}
	callers, err := newCallers()
	if err != nil {
		return nil, fmt.Errorf("making the list of callers: %w", err)
	}
	r := &Responder{corners: corners, public: cfg.Public, limiter: limiter, callers: callers, log: cfg.Logger, dropped: new(tally)}
	orElse(&r.log, slog.New(slog.DiscardHandler))
	r.two = corners[1][0] != nil || corners[1][1] != nil
	for a, row := range corners {
		for p, conn := range row {
			if conn == nil {
				if a == 1 && !r.two {
					continue
				}
				return nil, fmt.Errorf("%w: one is missing", ErrCorners)
			}
			at, ok := conn.LocalAddr().(*net.UDPAddr)
			if !ok {
				return nil, fmt.Errorf("%w: %T", ErrNotUDP, conn)
			}
			if first := corners[0][p].LocalAddr().(*net.UDPAddr); at.Port != first.Port {
				return nil, fmt.Errorf("%w: %s and %s", ErrCorners, first, at)
			}
		}
	}
	return r, nil
}

// Run serves until ctx ends and closes the sockets; its error is that of
// closing. It may be called once.
func (r *Responder) Run(ctx context.Context) error {
	for a, row := range r.corners {
		for p, conn := range row {
			if conn != nil {
				r.reading.Go(func() { r.read(conn, place{a, p}) })
			}
		}
	}
	<-ctx.Done()
	return r.close()
}

// close closes all sockets and waits for their readers.
func (r *Responder) close() error {
	var errs []error
	for _, row := range r.corners {
		for _, conn := range row {
			if conn == nil {
				continue
			}
			if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, fmt.Errorf("closing STUN on %s: %w", conn.LocalAddr(), err))
			}
		}
	}
	r.reading.Wait()
	return errors.Join(errs...)
}

// Answered is how many Binding requests have been answered.
func (r *Responder) Answered() uint64 { return r.count.Load() }

// Dropped counts what was not answered, by reason. The map is the caller's.
func (r *Responder) Dropped() map[string]uint64 { return r.dropped.snapshot() }

// read answers what comes to one corner until its socket is closed.
func (r *Responder) read(conn net.PacketConn, at place) {
	buf := make([]byte, maxMessage+1)
	for failures := 0; ; {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			r.dropped.add("udp-read")
			failures = pauseAfter(failures)
			continue
		}
		failures = 0
		client := addrPort(from)
		switch why := inspect(buf[:n]); {
		case why == faultKeepalive:
		case why != "":
			r.dropped.add(string(why))
		case !isBinding(buf[:n]):
			r.dropped.add(string(faultType))
		case !r.limiter.allow(client.Addr()):
			r.dropped.add(string(faultRate))
		default:
			r.answer(buf[:n], client, at)
		}
	}
}

// answer sends the answer to an inspected Binding request that came to a corner.
func (r *Responder) answer(p []byte, client netip.AddrPort, at place) {
	from := at
	message, change := binding{request: p, client: client}, changeOf(p)
	if unknown := r.unknown(p, change); len(unknown) > 0 {
		r.send(message.refuse(unknown), client, from)
		return
	}
	to := client
	if port, asked := responsePort(p); asked {
		to = netip.AddrPortFrom(client.Addr(), port)
		if !r.callers.knows(to) {
			r.send(message.forbid(), client, from)
			return
		}
	} else {
		r.callers.called(client)
	}
	if change.address {
		from.address = 1 - at.address
	}
	if change.port {
		from.port = 1 - at.port
	}
	// OTHER-ADDRESS is about where the request came to (RFC 5780 section 7.4).
	other := place{1 - at.address, 1 - at.port}
	if !r.two {
		other.address = at.address
	}
	r.send(message.grant(r.addr(from, client), r.addr(other, client)), to, from)
}

// send writes an answer from a corner.
func (r *Responder) send(p []byte, client netip.AddrPort, from place) {
	if p == nil {
		return
	}
	if _, err := r.corners[from.address][from.port].WriteTo(p, net.UDPAddrFromAddrPort(client)); err != nil {
		r.dropped.add("client-write")
		r.log.Debug("a STUN answer can't be sent", "client", client, "error", err)
		return
	}
	r.count.Add(1)
}

// addr is the address of a corner as that client knows it.
func (r *Responder) addr(of place, client netip.AddrPort) netip.AddrPort {
	own := addrPort(r.corners[of.address][of.port].LocalAddr())
	ip := own.Addr()
	if ip.IsUnspecified() {
		ip = routeSource(client)
	}
	if r.public.IsValid() && guard.Classify(ip).Scope() != guard.ScopePublic && guard.Classify(client.Addr()).Scope() == guard.ScopePublic {
		ip = r.public
	}
	return netip.AddrPortFrom(ip, own.Port())
}

// routeSource is the address that a socket bound to all of this host's answers
// a client from: the system is asked for its route, nothing is sent.
func routeSource(client netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(client))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return addrPort(conn.LocalAddr()).Addr()
}
