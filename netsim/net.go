package netsim

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxHosts is how many hosts and NATs a net can have.
const MaxHosts = 32

// DefaultMTU is the largest IP packet unless Config says otherwise, in bytes.
const DefaultMTU = 1500

// Config says what a net is like. The zero Config is a perfect line and no tap.
type Config struct {
	Link
	TCP TCP
	// MTU is the size of the largest IP packet in bytes, 576 to 65535; 0 is DefaultMTU.
	MTU int
	// Subnet is the x in 10.77.x.0/24, where the hosts live. Nets that differ in
	// it can share a capture without their connections getting mixed up.
	Subnet byte
	// Prefix is another IPv4 /24 for the hosts to live in, if it is valid.
	Prefix netip.Prefix
	// Tap sees every packet at the moment it is sent, one after the other in
	// that order, before the receiver can react to it. The net stands still meanwhile: Tap must not block,
	// and must not call the net, its hosts or their connections.
	Tap func(Packet)
	// Keys, if not nil, are the secrets that programs on the hosts tell, so that the
	// tap sees what is inside of DTLS.
	Keys *Keys
	// Logger hears of changes to the link, at debug level; nil is silence.
	Logger *slog.Logger
}

func (c Config) validate() error {
	if c.MTU != 0 && (c.MTU < 576 || c.MTU > 65_535) {
		return fmt.Errorf("%w: MTU %d is not within 576 and 65535", ErrConfig, c.MTU)
	}
	if p := c.Prefix; p.IsValid() && (p.Bits() != 24 || !p.Addr().Is4() || p != p.Masked()) {
		return fmt.Errorf("%w: prefix %s is not an IPv4 /24", ErrConfig, p)
	}
	if err := c.TCP.validate(); err != nil {
		return err
	}
	return c.Link.Validate()
}

// Net is some hosts and the lines between them. Its methods can be called at
// any time and from anywhere but the tap.
type Net struct {
	cfg   Config
	log   *slog.Logger
	begin time.Time
	sched *scheduler
	gone  chan struct{} // closed when all is

	opening sync.RWMutex // held for reading while a socket is made; before mu

	mu       sync.Mutex
	closed   bool
	link     Link
	internet *subnet
	subnets  []*subnet // the internet first
	places   int       // given to hosts and NATs so far
	hosts    []*Host
	byName   map[string]*Host // by folded name
	nats     map[string]*NAT  // the same
	paths    map[pathKey]*path
	rules    []*rule
	flows    flows
	stats    Stats

	inFlight int // bytes
}

// pathKey is a direction: the places of two nodes.
type pathKey struct{ from, to int }

// New makes a net without hosts. The error is ErrConfig. Close it.
func New(cfg Config) (*Net, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	n := &Net{
		cfg: cfg, log: cfg.Logger, begin: time.Now(), link: cfg.Link, gone: make(chan struct{}),
		byName: make(map[string]*Host), nats: make(map[string]*NAT), paths: make(map[pathKey]*path),
		stats: Stats{Lost: make(map[string]uint64)},
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	prefix := cfg.Prefix
	if !prefix.IsValid() {
		prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, cfg.Subnet, 0}), 24)
	}
	n.internet = newSubnet(prefix, nil)
	n.subnets = []*subnet{n.internet}
	n.sched = newScheduler(n)
	return n, nil
}

// Host adds a host, with the next address of 10.77.x.1 to 10.77.x.32, x being Config.Subnet, or returns the one
// of this name. Names are dialled without regard to case; they have up to 32
// letters, digits, or other signs but spaces and any of : / [ ] % and are not IP addresses. The error is
// ErrHost for such a name, and for one that is elsewhere already, ErrFull beyond MaxHosts, net.ErrClosed.
func (n *Net) Host(name string) (*Host, error) { return n.addHost(name, n.internet) }

func (n *Net) addHost(name string, on *subnet) (*Host, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errClosed("host", name)
	}
	if h := n.byName[fold(name)]; h != nil && h.on == on {
		return h, nil
	} else if h != nil || n.nats[fold(name)] != nil {
		return nil, fmt.Errorf("%w: %q is there already, somewhere else", ErrHost, name)
	}
	if n.places == MaxHosts {
		return nil, fmt.Errorf("%w: there are %d hosts and NATs already", ErrFull, MaxHosts)
	}
	addr, err := on.free()
	if err != nil {
		return nil, err
	}
	h, err := newHost(n, name, n.places, on, addr, on.inside != nil)
	if err != nil {
		return nil, err
	}
	n.places++
	on.nodes[addr] = h
	n.hosts = append(n.hosts, h)
	n.byName[fold(name)] = h
	return h, nil
}

// Set changes the link for all packets sent from now on; those on their way
// and in the queues keep their time. The Seed stays. The error is ErrConfig.
func (n *Net) Set(l Link) error {
	if err := l.Validate(); err != nil {
		return err
	}
	n.mu.Lock()
	l.Seed = n.link.Seed
	n.link = l
	n.mu.Unlock()
	n.log.Debug("link changed", "delay", l.Delay, "jitter", l.Jitter, "loss", l.Loss, "rate", l.Rate, "queue", l.queue())
	return nil
}

// Link is what the lines are like now.
func (n *Net) Link() Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.link
}

// Close ends all connections and listeners and every goroutine of the net.
// Packets on their way are gone. It waits for Tap to return.
func (n *Net) Close() error {
	n.opening.Lock()
	n.mu.Lock()
	first, hosts := !n.closed, n.hosts
	n.closed = true
	for _, nat := range n.nats {
		nat.table.stop()
	}
	n.mu.Unlock()
	n.opening.Unlock()
	if !first {
		<-n.gone
		return nil
	}
	defer close(n.gone)
	n.sched.stop()
	for _, h := range hosts {
		h.destroy()
	}
	return nil
}

func (n *Net) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

func validName(name string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > 32 || !utf8.ValidString(name):
		return fmt.Errorf("%w: %q does not have 1 to 32 characters", ErrHost, name)
	case strings.ContainsAny(name, ":/[]%") || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return fmt.Errorf("%w: %q has a space or a sign that addresses use", ErrHost, name)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("%w: %q is an IP address", ErrHost, name)
	}
	return nil
}

func fold(name string) string { return strings.ToLower(name) }
