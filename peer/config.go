package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/transport/v2"
	"github.com/pion/webrtc/v3"

	"peerlab/signaling/envelope"
	"peerlab/trace"
)

// Signaler is a place in a room. The first message it delivers is an
// *envelope.Welcome; another one follows when the connection to the server
// was lost and is back. Send is used by one goroutine, Receive by another.
type Signaler interface {
	Send(ctx context.Context, m envelope.Message) error
	Receive(ctx context.Context) (envelope.Message, error)
	Close() error
}

// RelayTransport is how a peer reaches the relay.
type RelayTransport string

const (
	RelayAny RelayTransport = "any"
	RelayUDP RelayTransport = "udp"
	RelayTCP RelayTransport = "tcp"
)

// Config is all a Peer needs. The zero value works.
type Config struct {
	// Logger hears what a person running the peer should know; Pion's own
	// words come at debug. Nil is silent.
	Logger *slog.Logger
	// Trace, if not nil, records signaling, candidates and states.
	Trace *trace.Log
	// RelayOnly hides our addresses: only relayed candidates are used.
	RelayOnly bool
	// RelayTransport restricts the way to the relay; empty is RelayAny.
	RelayTransport RelayTransport
	// Identity may be shared by several peers; nil makes one.
	Identity *Identity
	// MeasureNAT finds out what stands between us and the STUN servers, two ports
	// of one; the room is told. It is called once, when the room has such servers,
	// and nothing waits for it. Nil tells nothing.
	MeasureNAT func(ctx context.Context, servers []string) (envelope.NAT, error)
	// Net replaces the network of the machine, for tests on a virtual one.
	Net transport.Net
	// Loopback makes candidates of loopback addresses, too. A machine that
	// has no others does so anyway.
	Loopback bool
	// Timing has a good default in each field that is zero.
	Timing Timing
	Handlers
}

// Handlers are called when something happens, each from a goroutine of the
// link it concerns: one that blocks holds up that link. Any may be nil.
type Handlers struct {
	// Link: somebody is in the room and a connection is being made.
	Link func(*Link)
	// State of a link has changed.
	State func(*Link, State)
	// Chat message received.
	Chat func(*Link, ChatMessage)
	// Accept decides on a file that is offered and may take its time, until
	// ctx ends; an error that is a *CancelError says why not. Nil declines.
	Accept func(context.Context, *Link, Offer) (Sink, error)
	// Transfer: an incoming file was accepted.
	Transfer func(*Link, *Transfer)
}

// Timing says how long to wait for what.
type Timing struct {
	// Keepalive is the time between two checks of the path in use (1 s).
	Keepalive time.Duration
	// Silence after which the path counts as disconnected (3 s) …
	Silence time.Duration
	// … and, after that, as failed (25 s).
	Failure time.Duration
	// Restart is how long a path may be disconnected before ICE is
	// restarted (4 s).
	Restart time.Duration
	// Renew is how long an ICE restart may take before a new session is
	// started instead (15 s).
	Renew time.Duration
	// Connect is how long a new session may take (30 s).
	Connect time.Duration
	// RenewBytes is how much one session carries before the next one takes
	// over (8 GiB): the DTLS of Pion v3 draws its AES-GCM nonces at random,
	// which is safe for far fewer than 2^24 records under one key.
	RenewBytes int64
}

func (t Timing) withDefaults() Timing {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&t.Keepalive, time.Second)
	or(&t.Silence, 3*time.Second)
	or(&t.Failure, 25*time.Second)
	or(&t.Restart, 4*time.Second)
	or(&t.Renew, 15*time.Second)
	or(&t.Connect, 30*time.Second)
	if t.RenewBytes == 0 {
		t.RenewBytes = 8 << 30
	}
	return t
}

// ErrConfig is wrapped by what New says of a Config it cannot use.
var ErrConfig = errors.New("peer configuration")

func (c *Config) validate() error {
	switch c.RelayTransport {
	case "":
		c.RelayTransport = RelayAny
	case RelayAny, RelayUDP, RelayTCP:
	default:
		return fmt.Errorf("%w: relay transport %q is none of any, udp, tcp", ErrConfig, c.RelayTransport)
	}
	c.Timing = c.Timing.withDefaults()
	t := c.Timing
	for _, d := range []time.Duration{t.Keepalive, t.Silence, t.Failure, t.Restart, t.Renew, t.Connect} {
		if d < 0 {
			return fmt.Errorf("%w: a negative time in Timing", ErrConfig)
		}
	}
	if t.RenewBytes < 0 {
		return fmt.Errorf("%w: RenewBytes is negative", ErrConfig)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// complete makes what validate cannot default.
func (c *Config) complete() (err error) {
	if c.Identity == nil {
		if c.Identity, err = NewIdentity(); err != nil {
			return err
		}
	}
	if c.Net == nil {
		if c.Net, err = newRoomyNet(); err != nil {
			return err
		}
		c.Loopback = c.Loopback || !connectedToAnything(c.Net)
	}
	return nil
}

// api sets Pion up for data channels and nothing else.
func (c *Config) api() *webrtc.API {
	s := webrtc.SettingEngine{LoggerFactory: pionLogs{c.Logger}}
	// We read the channels, so that a slow reader slows the sender.
	s.DetachDataChannels()
	// When it is up to us to choose (between two Go peers), the first pair
	// that answers after its wait is kept for good: Pion never moves to a
	// better one. A relay waits for four rounds of checks through the NATs.
	s.SetHostAcceptanceMinWait(0)
	s.SetSrflxAcceptanceMinWait(100 * time.Millisecond)
	s.SetPrflxAcceptanceMinWait(100 * time.Millisecond)
	s.SetRelayAcceptanceMinWait(800 * time.Millisecond)
	if c.RelayOnly {
		s.SetRelayAcceptanceMinWait(0)
	}
	s.SetICETimeouts(c.Timing.Silence, c.Timing.Failure, c.Timing.Keepalive)
	s.SetDTLSRetransmissionInterval(100 * time.Millisecond)
	// A browser that hides its addresses behind mDNS names still sees ours,
	// and its checks tell us where it is. So no multicast is needed.
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(c.Loopback)
	s.SetNet(c.Net)
	return webrtc.NewAPI(
		webrtc.WithSettingEngine(s),
		webrtc.WithMediaEngine(&webrtc.MediaEngine{}),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	)
}
