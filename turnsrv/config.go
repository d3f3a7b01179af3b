package turnsrv

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"peerlab/guard"
)

// Errors of New. They come wrapped, with the value that was wrong.
var (
	ErrNoListener = errors.New("turnsrv: no UDP socket and no TCP listener")
	ErrNotUDP     = errors.New("turnsrv: not a UDP socket")
	ErrSecret     = errors.New("turnsrv: secret is empty")
	ErrRelayIP    = errors.New("turnsrv: relay IP is not a unicast IPv4 address")
	ErrRelayPorts = errors.New("turnsrv: relay ports are not a range from 1024 up to 65535")
	ErrLimit      = errors.New("turnsrv: limit is negative")
)

// Config is what a Server needs to know. Secret, RelayIP and RelayPorts have to
// be set; for the rest zero means the default said here.
type Config struct {
	// Realm is told to clients and is part of every key. Default "peerlab".
	Realm string
	// Secret is shared with whoever mints credentials, coturn's
	// static-auth-secret. Not sent anywhere.
	Secret []byte
	// CredentialTTL is how long what Server.Credentials mints is valid. Default 1 h.
	CredentialTTL time.Duration
	// MaxAge is how long an allocation may be kept alive by a credential that has
	// expired meanwhile, counted from when the allocation was made. Default 24 h.
	MaxAge time.Duration

	// RelayIP is the IPv4 address peers reach the relay at: it goes into
	// XOR-RELAYED-ADDRESS.
	RelayIP netip.Addr
	// RelayListen is the local address relay sockets are bound to. Default:
	// RelayIP if this host has it, else 0.0.0.0 (a host behind a 1:1 NAT).
	RelayListen netip.Addr
	// ListenRelay opens a relay socket, on a network that is not this host's own;
	// what it returns has the methods of a *net.UDPConn with AddrPort in their name. Default: this
	// host's.
	ListenRelay func(netip.AddrPort) (net.PacketConn, error)
	// RelayPorts is where relay sockets live. Nothing else should use them.
	RelayPorts PortRange

	// Policy says which peers may be relayed to; Auto is resolved by RelayIP.
	Policy guard.Policy
	// HostAddrs are addresses of this host that its interfaces don't show, such
	// as the public side of a port mapping. Their ports are protected like those
	// of RelayIP and of the interfaces.
	HostAddrs []netip.Addr

	// Alternate is a second UDP socket, on another port of the address of the
	// first one given to New. With it the server answers UDP Binding requests at
	// both as a Responder does. It is owned as those given to New. Default: none.
	Alternate net.PacketConn

	Quota Quota
	Rate  Rate
	TCP   TCPLimits

	// Logger takes this package's and Pion's messages; Pion's are at debug and
	// below. Default: nothing is logged.
	Logger *slog.Logger
	// Now is the clock credentials are judged by. Default time.Now.
	Now func() time.Time
}

// PortRange is Min to Max, both included.
type PortRange struct{ Min, Max uint16 }

// Contains reports whether port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.Min <= port && port <= r.Max }

// Size is the number of ports in the range.
func (r PortRange) Size() int { return int(r.Max) - int(r.Min) + 1 }

// Quota bounds live allocations.
type Quota struct {
	PerCredential int // by peer ID, however often its credential was renewed; default 128
	PerAddress    int // by client IP address (IPv6: by /64); default 512
	Total         int // default: the number of relay ports
}

// Rate bounds the requests answered to one client IP address (IPv6: /64) from
// ports that hold no allocation. An answer can be larger than its request and
// the source of a datagram can be forged, so this bounds what a third party can
// be made to receive. The defaults leave room for a classroom behind one NAT.
type Rate struct {
	PerSecond float64 // default 100
	Burst     int     // default 1000
}

func (r *Rate) orDefault() {
	orElse(&r.PerSecond, 100)
	orElse(&r.Burst, 1000)
}

// TCPLimits bounds TCP connections.
type TCPLimits struct {
	Total      int // default 1024
	PerAddress int // by client IP address (IPv6: by /64); default 256
}

// withDefaults fills in what is zero and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if len(c.Secret) == 0 {
		return c, ErrSecret
	}
	c.RelayIP, c.RelayListen = c.RelayIP.Unmap(), c.RelayListen.Unmap()
	switch guard.Classify(c.RelayIP) {
	case guard.ClassUnspecified, guard.ClassMulticast, guard.ClassBroadcast, guard.ClassInvalid:
		return c, fmt.Errorf("%w: %s", ErrRelayIP, c.RelayIP)
	}
	if !c.RelayIP.Is4() || c.RelayListen.IsValid() && !c.RelayListen.Is4() {
		return c, fmt.Errorf("%w: %s, bound to %s", ErrRelayIP, c.RelayIP, c.RelayListen)
	}
	if c.RelayPorts.Min < 1024 || c.RelayPorts.Max < c.RelayPorts.Min {
		return c, fmt.Errorf("%w: %d-%d", ErrRelayPorts, c.RelayPorts.Min, c.RelayPorts.Max)
	}
	if lowest := min(c.Quota.PerCredential, c.Quota.PerAddress, c.Quota.Total, c.Rate.Burst,
		c.TCP.Total, c.TCP.PerAddress, int(c.CredentialTTL), int(c.MaxAge)); lowest < 0 || c.Rate.PerSecond < 0 {
		return c, fmt.Errorf("%w: %d, rate %g", ErrLimit, lowest, c.Rate.PerSecond)
	}
	c.Policy = c.Policy.Resolve(c.RelayIP)
	orElse(&c.Realm, "peerlab")
	orElse(&c.CredentialTTL, time.Hour)
	orElse(&c.MaxAge, 24*time.Hour)
	orElse(&c.Quota.PerCredential, 128)
	orElse(&c.Quota.PerAddress, 512)
	orElse(&c.Quota.Total, c.RelayPorts.Size())
	c.Rate.orDefault()
	orElse(&c.TCP.Total, 1024)
	orElse(&c.TCP.PerAddress, 256)
	orElse(&c.Logger, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
