package signaling

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"peerlab/signaling/envelope"
)

// Config describes a Hub. The zero value is a usable Hub without ICE servers;
// each zero field stands for the default named.
type Config struct {
	MaxPeers   int // in a room; 8
	MaxRooms   int // 1,000
	MaxSockets int // open at once; more are answered 503; 10,000

	ResumeWindow  time.Duration // how long a place is kept without a socket; 30 s
	JoinTimeout   time.Duration // from the upgrade to join; 15 s
	PingAfter     time.Duration // of silence; 20 s
	DeadAfter     time.Duration // of silence; 45 s
	WriteTimeout  time.Duration // for one frame; 10 s
	EmptyRoomLife time.Duration // 10 min

	// MaxUnjoined sockets of one address may be open without having joined.
	// One more closes the oldest of them: silent sockets take no place from
	// those that speak. 64.
	MaxUnjoined int
	// JoinRate and JoinBurst limit joins of one address (a /64 in IPv6), per
	// second; 2 and 60, as a whole class may sit behind one address. Those that
	// resume count for their member instead, at the same rate.
	JoinRate  float64
	JoinBurst int
	// CreateRate and CreateBurst do the same for new rooms; 0.5 and 60.
	CreateRate  float64
	CreateBurst int

	// MessageRate and MessageBurst limit the frames of one socket, per second;
	// 50 and 400. ByteRate and ByteBurst limit its bytes; 64 KiB and 256 KiB.
	MessageRate  float64
	MessageBurst int
	ByteRate     float64
	ByteBurst    int
	// QueueFrames and QueueBytes bound what waits for one member; who lets
	// them fill is dropped. By default they hold the bursts of a full room and
	// one more, behind what was missed before a resume: 3,856 and 2.5 MiB. So
	// others cannot make a member look slow, however many of them send at once.
	QueueFrames int
	QueueBytes  int

	// ICE returns the servers a member is told and how long its credentials
	// last (0: for ever); nil means none. host is the Host of its request,
	// empty for a Local. It is called with a room locked: it has to be quick
	// and must not call the Hub.
	ICE func(peerID, host string) ([]envelope.ICEServer, time.Duration)
	// NATServers returns the URLs of two ports of one STUN server, by which a
	// member can measure its NAT; nil means none, and then none may be shared.
	// host is as for ICE, and so are the rules for the call.
	NATServers func(host string) []string
	// CheckOrigin tells whether an upgrade may go on. Nil compares Origin and
	// Host, which lets requests without Origin pass and does not stop DNS
	// rebinding.
	CheckOrigin func(*http.Request) bool
	// ClientAddr tells whom a request counts for; nil takes RemoteAddr.
	ClientAddr func(*http.Request) netip.Addr
	// Logger gets what an operator may want to know; nil discards it. Room
	// ids are secrets and are logged shortened.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MaxPeers = cmp.Or(c.MaxPeers, 8)
	c.MaxRooms = cmp.Or(c.MaxRooms, 1000)
	c.MaxSockets = cmp.Or(c.MaxSockets, 10_000)
	c.ResumeWindow = cmp.Or(c.ResumeWindow, 30*time.Second)
	c.JoinTimeout = cmp.Or(c.JoinTimeout, 15*time.Second)
	c.PingAfter = cmp.Or(c.PingAfter, 20*time.Second)
	c.DeadAfter = cmp.Or(c.DeadAfter, 45*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.EmptyRoomLife = cmp.Or(c.EmptyRoomLife, 10*time.Minute)
	c.MaxUnjoined = cmp.Or(c.MaxUnjoined, 64)
	c.JoinRate = cmp.Or(c.JoinRate, 2)
	c.JoinBurst = cmp.Or(c.JoinBurst, 60)
	c.CreateRate = cmp.Or(c.CreateRate, 0.5)
	c.CreateBurst = cmp.Or(c.CreateBurst, 60)
	c.MessageRate = cmp.Or(c.MessageRate, 50)
	c.MessageBurst = cmp.Or(c.MessageBurst, 400)
	c.ByteRate = cmp.Or(c.ByteRate, 64<<10)
	c.ByteBurst = cmp.Or(c.ByteBurst, 256<<10)
	c.QueueFrames = cmp.Or(c.QueueFrames, maxMissed+(c.MaxPeers+1)*c.MessageBurst)
	c.QueueBytes = cmp.Or(c.QueueBytes, maxMissedBytes+(c.MaxPeers+1)*c.ByteBurst)
	if c.ICE == nil {
		c.ICE = func(string, string) ([]envelope.ICEServer, time.Duration) { return nil, 0 }
	}
	if c.NATServers == nil {
		c.NATServers = func(string) []string { return nil }
	}
	if c.ClientAddr == nil {
		c.ClientAddr = remoteAddr
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate expects the defaults to be filled in.
func (c Config) validate() error {
	for _, n := range []struct {
		name  string
		value float64
		least float64
	}{
		{"MaxPeers", float64(c.MaxPeers), 2},
		{"MaxRooms", float64(c.MaxRooms), 1},
		{"MaxSockets", float64(c.MaxSockets), 1},
		{"MaxUnjoined", float64(c.MaxUnjoined), 1},
		{"JoinRate", c.JoinRate, 0},
		{"JoinBurst", float64(c.JoinBurst), 1},
		{"CreateRate", c.CreateRate, 0},
		{"CreateBurst", float64(c.CreateBurst), 1},
		{"MessageRate", c.MessageRate, 0},
		{"MessageBurst", float64(c.MessageBurst), 1},
		{"ByteRate", c.ByteRate, 0},
		// A message of the largest size and its frame has to fit.
		{"ByteBurst", float64(c.ByteBurst), envelope.MaxSize + 1024},
		// What was kept for a member has to fit when it resumes: the signals
		// behind the welcome and who of the others is away.
		{"QueueFrames", float64(c.QueueFrames), float64(1 + c.MaxPeers + maxMissed)},
		{"QueueBytes", float64(c.QueueBytes), maxMissedBytes + envelope.MaxSize},
	} {
		if !(n.value >= n.least) {
			return fmt.Errorf("signaling: Config.%s is %v, need at least %v", n.name, n.value, n.least)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ResumeWindow", c.ResumeWindow}, {"JoinTimeout", c.JoinTimeout}, {"PingAfter", c.PingAfter},
		{"DeadAfter", c.DeadAfter}, {"WriteTimeout", c.WriteTimeout}, {"EmptyRoomLife", c.EmptyRoomLife},
	} {
		if d.value <= 0 {
			return fmt.Errorf("signaling: Config.%s is %v, need a positive duration", d.name, d.value)
		}
	}
	if c.DeadAfter <= c.PingAfter {
		return fmt.Errorf("signaling: Config.DeadAfter (%v) has to be longer than PingAfter (%v)", c.DeadAfter, c.PingAfter)
	}
	return nil
}

// tick is how often the Hub looks at its clocks: often enough that each of
// them is late by a tenth at most, and once a second by default.
func (c Config) tick() time.Duration {
	shortest := min(c.ResumeWindow, c.JoinTimeout, c.PingAfter, c.DeadAfter, c.EmptyRoomLife)
	return min(max(shortest/10, 5*time.Millisecond), time.Second)
}

func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}
