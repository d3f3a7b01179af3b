package turnsrv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// hostRefresh is how often the addresses of this host are read again.
const hostRefresh = 30 * time.Second

// Server is a STUN and TURN server. Make one with New.
type Server struct {
	cfg       Config
	peers     *peerRules
	ports     *portPool
	limiter   *limiter
	fronts    []*front
	tcp       []*tcpWire
	discovery *Responder // nil without Config.Alternate

	byPeer    *shares[string]     // live allocations by peer ID
	byAddr    *shares[netip.Addr] // and by client address; also bounds their total
	conns     *shares[netip.Addr] // TCP connections by client address
	framePool sync.Pool           // of *frame

	coarse                         atomic.Int64 // see now
	allocated                      atomic.Uint64
	dropped, refused, authFailures tally

	reading sync.WaitGroup // fronts
	live    sync.WaitGroup // relays

	mu                           sync.Mutex
	retiredToPeer, retiredClient Traffic // of allocations that have ended
}

// New makes a server on sockets the caller has opened: any number of UDP
// sockets, of ListenUDP for instance, and TCP listeners. Unless it fails the
// server owns them; Run serves and in the end closes them. Errors are those
// named in this package, and those of listing this host's addresses.
func New(cfg Config, udp []net.PacketConn, tcp []net.Listener) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(udp)+len(tcp) == 0 {
		return nil, ErrNoListener
	}
	s := &Server{cfg: cfg}
	if s.peers, err = newPeerRules(cfg); err != nil {
		return nil, err
	}
	if s.limiter, err = newLimiter(cfg.Rate); err != nil {
		return nil, fmt.Errorf("making the rate limiter: %w", err)
	}
	s.ports = newPortPool(cfg)
	s.byPeer = newShares[string](math.MaxInt, cfg.Quota.PerCredential)
	s.byAddr = newShares[netip.Addr](cfg.Quota.Total, cfg.Quota.PerAddress)
	s.conns = newShares[netip.Addr](cfg.TCP.Total, cfg.TCP.PerAddress)
	s.framePool.New = func() any { return new(frame) }

	for _, conn := range udp {
		c, ok := conn.(udpConn)
		if !ok {
			return nil, fmt.Errorf("%w: %T", ErrNotUDP, conn)
		}
		f := s.newFront()
		f.wire = &udpWire{udpConn: c, front: f}
	}
	if cfg.Alternate != nil {
		if err := s.discover(udp); err != nil {
			return nil, err
		}
	}
	for _, ln := range tcp {
		f := s.newFront()
		w := newTCPWire(f, ln)
		f.wire = w
		s.tcp = append(s.tcp, w)
	}
	return s, nil
}

// discover makes the responder on the first of the UDP sockets, which fronts
// read, and the alternate one. It counts and is bounded with the rest.
func (s *Server) discover(udp []net.PacketConn) error {
	if len(udp) == 0 {
		return fmt.Errorf("%w: an alternate one alone", ErrCorners)
	}
	public := netip.Addr{}
	if bindAddr(s.cfg) != s.cfg.RelayIP {
		public = s.cfg.RelayIP
	}
	r, err := NewResponder(ResponderConfig{Public: public, Logger: s.cfg.Logger}, Corners{{udp[0], s.cfg.Alternate}})
	if err != nil {
		return err
	}
	r.limiter, r.dropped = s.limiter, &s.dropped
	s.discovery = r
	return nil
}

func (s *Server) newFront() *front {
	f := &front{srv: s, relays: make(map[netip.AddrPort]*relay)}
	s.fronts = append(s.fronts, f)
	return f
}

// Run serves until ctx ends. When it returns every socket is closed and every
// allocation gone; its error is that of starting or closing. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	err := s.start()
	if err == nil {
		s.tick(ctx)
	}
	return errors.Join(err, s.stop())
}

func (s *Server) start() error {
	for _, f := range s.fronts {
		s.reading.Add(1)
		if _, err := f.serve(); err != nil {
			s.reading.Done()
			return fmt.Errorf("starting TURN on %s: %w", f.LocalAddr(), err)
		}
	}
	for _, w := range s.tcp {
		s.reading.Go(w.accept)
	}
	if s.discovery != nil {
		s.reading.Go(func() { s.discovery.read(s.cfg.Alternate, place{port: 1}) })
	}
	return nil
}

// tick keeps the coarse clock and what has to be looked at now and then.
func (s *Server) tick(ctx context.Context) {
	started := time.Now()
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	hosts := time.NewTicker(hostRefresh)
	defer hosts.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-seconds.C:
			s.coarse.Store(int64(time.Since(started)))
		case <-hosts.C:
			if err := s.peers.refresh(); err != nil {
				s.cfg.Logger.Warn("this host's addresses may be out of date", "error", err)
			}
		}
	}
}

// stop closes everything and waits for it.
func (s *Server) stop() error {
	var errs []error
	for _, f := range s.fronts {
		if err := f.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing TURN on %s: %w", f.LocalAddr(), err))
		}
	}
	if s.discovery != nil {
		if err := s.discovery.close(); err != nil {
			errs = append(errs, err)
		}
	}
	s.reading.Wait()
	s.live.Wait()
	return errors.Join(errs...)
}

// now is a clock that is read for each packet, and right to a second.
func (s *Server) now() time.Duration { return time.Duration(s.coarse.Load()) }

// Credentials mints credentials for a peer, valid for Config.CredentialTTL.
func (s *Server) Credentials(peerID string) Credentials {
	return Mint(s.cfg.Secret, peerID, s.cfg.Now().Add(s.cfg.CredentialTTL))
}

// takeQuota reserves an allocation for a peer at a client address.
func (s *Server) takeQuota(peerID string, client netip.Addr) bool {
	if !s.byAddr.take(holder(client)) {
		return false
	}
	if !s.byPeer.take(peerID) {
		s.byAddr.give(holder(client))
		return false
	}
	return true
}

func (s *Server) giveQuota(peerID string, client netip.Addr) {
	s.byPeer.give(peerID)
	s.byAddr.give(holder(client))
}
