package peer

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v2"
	"github.com/pion/transport/v2/vnet"
	"github.com/pion/turn/v2"

	"peerlab/signaling"
	"peerlab/signaling/envelope"
)

const relayIP = "1.2.3.4"

var (
	cone      = vnet.NATType{MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointAddrPortDependent}
	symmetric = vnet.NATType{MappingBehavior: vnet.EndpointAddrPortDependent, FilteringBehavior: vnet.EndpointAddrPortDependent}
)

// internet is a virtual network: hosts behind NATs around a WAN, on which a
// STUN and TURN server answers.
type internet struct {
	t     testing.TB
	wan   *vnet.Router
	cut   atomic.Bool // no packet passes while it is set
	hosts int
}

// newInternet builds the hosts, one behind a NAT of each type given, and
// starts the network. Tests on this network do not run in parallel: vnet counts its MAC addresses
// without a lock.
func newInternet(t testing.TB, nats ...vnet.NATType) (*internet, []transport.Net) {
	t.Helper()
	w := &internet{t: t}
	var err error
	w.wan, err = vnet.NewRouter(&vnet.RouterConfig{CIDR: "0.0.0.0/0", LoggerFactory: silent()})
	w.must(err)
	w.wan.AddChunkFilter(func(vnet.Chunk) bool { return !w.cut.Load() })
	relay, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{relayIP}})
	w.must(err)
	w.must(w.wan.AddNet(relay))
	var hosts []transport.Net
	for _, nat := range nats {
		hosts = append(hosts, w.host(nat))
	}
	w.must(w.wan.Start())
	t.Cleanup(func() { w.wan.Stop() })
	w.serveRelay(relay)
	return w, hosts
}

func (w *internet) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *internet) host(nat vnet.NATType) transport.Net {
	w.hosts++
	lan, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: fmt.Sprintf("192.168.%d.0/24", w.hosts), StaticIPs: []string{fmt.Sprintf("27.1.1.%d", w.hosts)},
		NATType: &nat, LoggerFactory: silent(),
	})
	w.must(err)
	host, err := vnet.NewNet(&vnet.NetConfig{})
	w.must(err)
	w.must(lan.AddNet(host))
	w.must(w.wan.AddRouter(lan))
	return host
}

func (w *internet) serveRelay(relay *vnet.Net) {
	conn, err := relay.ListenPacket("udp4", relayIP+":3478")
	w.must(err)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm:         "peerlab",
		AuthHandler:   relayAuth,
		LoggerFactory: silent(),
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.ParseIP(relayIP), Address: "0.0.0.0", Net: relay,
			},
		}},
	})
	w.must(err)
	w.t.Cleanup(func() { server.Close() })
}

func relayAuth(user, realm string, _ net.Addr) ([]byte, bool) {
	return turn.GenerateAuthKey(user, realm, "secret"), user == "tester"
}

func iceServers(addr string) func(string, string) ([]envelope.ICEServer, time.Duration) {
	return func(string, string) ([]envelope.ICEServer, time.Duration) {
		return []envelope.ICEServer{
			{URLs: []string{"stun:" + addr}},
			{URLs: []string{"turn:" + addr + "?transport=udp"}, Username: "tester", Credential: "secret"},
		}, time.Hour
	}
}

func silent() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
}

// quick is a Timing for tests that break things.
var quick = Timing{
	Keepalive: 200 * time.Millisecond, Silence: 600 * time.Millisecond, Failure: 3 * time.Second,
	Restart: 300 * time.Millisecond, Renew: 6 * time.Second, Connect: 10 * time.Second,
}

func (w *internet) meet(hosts []transport.Net, adjust func(*Config)) (a, b *member, ab, ba *Link) {
	w.t.Helper()
	r := newRoom(w.t, signaling.Config{ICE: iceServers(relayIP + ":3478")})
	var ms []*member
	for i, name := range []string{"ann", "ben"} {
		ms = append(ms, r.join(name, func(c *Config) {
			c.Net, c.Loopback, c.Timing = hosts[i], false, quick
			if adjust != nil {
				adjust(c)
			}
		}))
	}
	return ms[0], ms[1], ms[0].link(), ms[1].link()
}

func TestTheirPathThroughNATs(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b    vnet.NATType
		only    bool
		relayed bool
	}{
		{"two cones", cone, cone, false, false},
		{"two symmetric", symmetric, symmetric, false, true},
		{"cone and symmetric", cone, symmetric, false, true},
		{"relay only", cone, cone, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, hosts := newInternet(t, c.a, c.b)
			_, b, ab, ba := w.meet(hosts, func(cfg *Config) { cfg.RelayOnly = c.only })
			eventually(t, "a path both ways", func() bool { return ab.Path().Connected && ba.Path().Connected })
			if p := ab.Path(); p.Relayed != c.relayed || !p.Connected {
				t.Errorf("%+v: %s", p, p)
			}
			if p := ba.Path(); p.Relayed != c.relayed {
				t.Errorf("%+v: %s", p, p)
			}
			ab.Chat().Send("through it")
			if got := next(t, b.chats, "chat"); got.Text != "through it" {
				t.Errorf("got %q", got.Text)
			}
		})
	}
}

func TestAnICERestartKeepsTheSession(t *testing.T) {
	w, hosts := newInternet(t, cone, cone)
	a, b, ab, ba := w.meet(hosts, nil)
	w.cut.Store(true)
	a.until(StateInterrupted)
	b.until(StateInterrupted)
	ab.Chat().Send("while it was cut")
	w.cut.Store(false)
	a.connected(ab)
	b.connected(ba)
	if got := next(t, b.chats, "chat"); got.Text != "while it was cut" {
		t.Errorf("got %q", got.Text)
	}
	if n, _ := ab.Usage(); n != 1 {
		t.Errorf("session %d: a restart should have been enough", n)
	}
}

func TestANewSessionWhenARestartIsNotEnough(t *testing.T) {
	w, hosts := newInternet(t, cone, cone)
	a, b, ab, ba := w.meet(hosts, func(c *Config) { c.Timing.Renew = time.Second })
	data := Generated{Size: 4 << 20, Seed: 1}
	sent, err := ab.Files().Send(File{Offer: Offer{Name: "f", Size: data.Size}, Source: data})
	if err != nil {
		t.Fatal(err)
	}
	got := next(t, b.files, "transfer")
	eventually(t, "begun", func() bool { return got.Status().Moved > 0 })
	w.cut.Store(true)
	eventually(t, "renewed", func() bool { n, _ := ba.Usage(); return n > 1 })
	w.cut.Store(false)
	a.connected(ab)
	b.connected(ba)
	if s, err := sent.Wait(t.Context()); err != nil {
		t.Errorf("%+v %v", s, err)
	}
	if s := got.Status(); s.State != Done || s.SHA256 != sumOf(t, data) {
		t.Errorf("%+v", s)
	}
}

func TestTheRelayCanBeReachedOverTCP(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "peerlab", AuthHandler: relayAuth, LoggerFactory: silent(),
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: listener,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	r := newRoom(t, signaling.Config{ICE: func(string, string) ([]envelope.ICEServer, time.Duration) {
		url := "turn:" + listener.Addr().String() + "?transport="
		return []envelope.ICEServer{{URLs: []string{url + "udp", url + "tcp"}, Username: "tester", Credential: "secret"}}, time.Hour
	}})
	_, _, ab, ba := r.pair(func(c *Config) { c.RelayOnly, c.RelayTransport = true, RelayTCP })
	for _, l := range []*Link{ab, ba} {
		if p := l.Path(); !p.Relayed || p.Protocol != "tcp" {
			t.Errorf("%+v: %s", p, p)
		}
	}
}
