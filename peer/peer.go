package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/stun"
	"github.com/pion/webrtc/v3"

	"peerlab/signaling/envelope"
)

// byeTime is how long leaving may take: to deliver what was sent, then to say
// bye.
const byeTime = 2 * time.Second

// ErrServerBye says that the server ended the membership; the reason is in
// the text.
var ErrServerBye = errors.New("the server said bye")

// Peer is a member of a room.
type Peer struct {
	cfg      Config
	signaler Signaler
	api      *webrtc.API
	out      *outbox
	log      *slog.Logger
	closing  sync.WaitGroup // links on their way out, and the measurement of our NAT

	mu        sync.Mutex
	self      envelope.Peer
	links     map[string]*Link
	relay     relayAccess
	nat       envelope.NAT // our own, once it is known
	measuring bool         // or done
}

// relayAccess is what the server gave us to reach STUN and TURN.
type relayAccess struct {
	servers []webrtc.ICEServer
	expires time.Time // zero: never
}

// New prepares a peer. It takes over the signaler, and Run closes it.
func New(cfg Config, s Signaler) (*Peer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Peer{
		cfg: cfg, signaler: s, api: cfg.api(), out: newOutbox(cfg.Logger),
		log: cfg.Logger, links: map[string]*Link{},
	}, nil
}

// Self is this peer as the room sees it, zero before the welcome.
func (p *Peer) Self() envelope.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.self
}

// Links returns the others in the room, in the order in which they came.
func (p *Peer) Links() []*Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*Link, 0, len(p.links))
	for _, l := range p.links {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b *Link) int { return cmp.Compare(a.remote.Order, b.remote.Order) })
	return links
}

// Run takes part until ctx ends, which is no error, or the membership does.
// It delivers what was sent so far, says bye and closes the signaler.
func (p *Peer) Run(ctx context.Context) error {
	sending, stopSending := context.WithCancel(context.Background())
	var sender sync.WaitGroup
	sender.Go(func() { p.out.run(sending, p.signaler) })

	measuring, stopMeasuring := context.WithCancel(ctx)
	err := p.receive(ctx, measuring)
	stopMeasuring()

	for _, l := range p.Links() {
		p.drop(l.remote.ID, "we leave", byeTime)
	}
	p.closing.Wait()
	stopSending()
	sender.Wait()
	if ctx.Err() != nil {
		err = nil
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTime)
		if err := p.signaler.Send(bye, &envelope.Bye{}); err != nil {
			p.log.Debug("bye not sent", "err", err)
		}
		cancel()
	}
	if closeErr := p.signaler.Close(); closeErr != nil {
		p.log.Debug("close signaling", "err", closeErr)
	}
	return err
}

// receive handles the messages of the server until there are no more. What is
// measured meanwhile ends with measuring.
func (p *Peer) receive(ctx, measuring context.Context) error {
	for {
		m, err := p.signaler.Receive(ctx)
		if err != nil {
			return fmt.Errorf("signaling: %w", err)
		}
		switch m := m.(type) {
		case *envelope.Welcome:
			p.welcome(m)
			p.knowNAT(measuring, m)
		case *envelope.PeerJoined:
			p.meet(m.Peer)
		case *envelope.PeerLeft:
			p.drop(m.ID, m.Reason, 0)
		case *envelope.PeerState:
			p.log.Debug("peer state", "peer", m.ID, "state", m.State)
			p.heardNAT(m.ID, m.NAT)
		case *envelope.Signal:
			if l := p.link(m.From); l != nil {
				l.deliver(m)
			}
		case *envelope.ICEServers:
			p.setRelay(m.ICEServers, m.ICETTL)
		case *envelope.Error:
			if m.Fatal {
				return fmt.Errorf("signaling: %w", m)
			}
			p.log.Debug("signaling", "err", m)
		case *envelope.Bye:
			return fmt.Errorf("%w: %s", ErrServerBye, m.Reason)
		}
	}
}

// welcome brings our links in line with who is in the room. With a new id all
// of them start over: the others know us as somebody else.
func (p *Peer) welcome(w *envelope.Welcome) {
	p.setRelay(w.ICEServers, w.ICETTL)
	p.mu.Lock()
	fresh := p.self.ID != w.Self.ID
	p.self = w.Self
	p.mu.Unlock()
	if fresh {
		p.out.clear()
	}
	for _, l := range p.Links() {
		stays := slices.ContainsFunc(w.Peers, func(q envelope.Peer) bool { return q.ID == l.remote.ID })
		if fresh || !stays {
			p.drop(l.remote.ID, "it left while the signaling connection was down", 0)
		}
	}
	for _, q := range w.Peers {
		p.meet(q)
		p.heardNAT(q.ID, q.NAT)
	}
}

// meet starts a link to q, if there is none.
func (p *Peer) meet(q envelope.Peer) {
	p.mu.Lock()
	if p.links[q.ID] != nil || q.ID == p.self.ID {
		p.mu.Unlock()
		return
	}
	l := newLink(p, q)
	p.links[q.ID] = l
	p.mu.Unlock()
	p.log.Debug("peer", "id", q.ID, "name", q.Name, "kind", q.Kind)
	if p.cfg.Handlers.Link != nil {
		p.cfg.Handlers.Link(l)
	}
	l.start()
}

func (p *Peer) link(id string) *Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links[id]
}

// drop ends the link to a peer, in its own time: first, for at most flush,
// what was sent to it is delivered.
func (p *Peer) drop(id, reason string, flush time.Duration) {
	p.mu.Lock()
	l := p.links[id]
	delete(p.links, id)
	p.mu.Unlock()
	if l != nil {
		p.log.Debug("peer gone", "id", id, "name", l.remote.Name, "reason", reason)
		p.closing.Go(func() { l.close(flush) })
	}
}

// setRelay keeps what can be used of the servers offered.
func (p *Peer) setRelay(servers []envelope.ICEServer, ttl int) {
	var access relayAccess
	if ttl > 0 {
		access.expires = time.Now().Add(time.Duration(ttl) * time.Second)
	}
	for _, s := range servers {
		urls := slices.DeleteFunc(slices.Clone(s.URLs), func(u string) bool { return !p.usable(u, s) })
		if len(urls) > 0 {
			access.servers = append(access.servers, webrtc.ICEServer{URLs: urls, Username: s.Username, Credential: s.Credential})
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relay = access
}

// usable tells whether Pion can use a URL and the configuration allows it.
func (p *Peer) usable(url string, s envelope.ICEServer) bool {
	uri, err := stun.ParseURI(url)
	if err != nil {
		p.log.Debug("ICE server not usable", "url", url, "err", err)
		return false
	}
	if uri.Scheme != stun.SchemeTypeTURN && uri.Scheme != stun.SchemeTypeTURNS {
		return true
	}
	want := p.cfg.RelayTransport
	return s.Username != "" && s.Credential != "" &&
		(want == RelayAny || strings.EqualFold(uri.Proto.String(), string(want)))
}

// access returns the configuration for the next connection.
func (p *Peer) access() (webrtc.Configuration, time.Time, error) {
	certificate, err := p.cfg.Identity.current()
	if err != nil {
		return webrtc.Configuration{}, time.Time{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := webrtc.Configuration{ICEServers: p.relay.servers, Certificates: []webrtc.Certificate{certificate}}
	if p.cfg.RelayOnly {
		cfg.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return cfg, p.relay.expires, nil
}
