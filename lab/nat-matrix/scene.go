package natmatrix

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun"

	"peerlab/icesim"
	"peerlab/lab"
	"peerlab/nat"
	"peerlab/netsim"
	"peerlab/trace"
)

// side is what one peer is behind.
type side struct {
	kind    Kind
	carrier Kind // empty: none
}

func (s side) behavior() nat.Behavior {
	if s.carrier == "" {
		return s.kind.behavior()
	}
	return behind(s.kind.behavior(), s.carrier.behavior())
}

func (s side) String() string {
	if s.carrier == "" {
		return string(s.kind)
	}
	return fmt.Sprintf("%s behind a %s carrier", s.kind, s.carrier)
}

// setup is what a scene is made from.
type setup struct {
	a, b     side
	relay    Relay
	ports    netsim.PortAssignment
	lifetime time.Duration
}

// scene is an emulated internet with two peers on it.
type scene struct {
	run   *lab.Run
	setup setup
	hosts [2]*lab.Host
	nats  [2][]*netsim.NAT // from the outside in
	stun  *icesim.Server
	turn  *icesim.Server // nil: none
	stop  context.CancelFunc
}

// newScene builds it on the network of a run or variant. Close it before the
// next one if there are many.
func newScene(ctx context.Context, r *lab.Run, s setup) (*scene, error) {
	sc := &scene{run: r, setup: s}
	ctx, sc.stop = context.WithCancel(ctx)
	var err error
	if sc.stun, err = sc.serve(ctx, "stun"); err != nil {
		return nil, err
	}
	if s.relay != RelayNone {
		if sc.turn, err = sc.serve(ctx, "turn"); err != nil {
			return nil, err
		}
	}
	for i, name := range []string{"a", "b"} {
		if err := sc.place(i, name, []side{s.a, s.b}[i]); err != nil {
			return nil, err
		}
	}
	return sc, nil
}

// serve starts a STUN and TURN server on a host of its own.
func (sc *scene) serve(ctx context.Context, name string) (*icesim.Server, error) {
	h, err := sc.run.Host(name)
	if err != nil {
		return nil, err
	}
	server, err := icesim.NewServer(h, nil)
	if err != nil {
		return nil, err
	}
	sc.run.Go(func(context.Context) error { return server.Run(ctx) })
	return server, nil
}

// place puts a peer behind its NATs.
func (sc *scene) place(i int, name string, s side) (err error) {
	config := func(k Kind) netsim.NATConfig {
		c := k.config()
		c.Ports, c.Lifetime = sc.setup.ports, sc.setup.lifetime
		return c
	}
	var innermost *netsim.NAT
	if s.carrier != "" {
		c := config(s.carrier)
		c.Inside = carrierInside[i]
		if innermost, err = sc.run.NAT("carrier-"+name, c); err != nil {
			return err
		}
		sc.nats[i] = append(sc.nats[i], innermost)
	}
	if s.kind != Open {
		if innermost == nil {
			innermost, err = sc.run.NAT("nat-"+name, config(s.kind))
		} else {
			innermost, err = sc.run.NATBehind(innermost, "nat-"+name, config(s.kind))
		}
		if err != nil {
			return err
		}
		sc.nats[i] = append(sc.nats[i], innermost)
	}
	if innermost == nil {
		sc.hosts[i], err = sc.run.Host("peer-" + name)
	} else {
		sc.hosts[i], err = sc.run.HostBehind(innermost, "peer-"+name)
	}
	return err
}

// introduce says who is where, in the order of the lanes: one side, the
// internet, the other side.
func (sc *scene) introduce() {
	at := func(lane string, a netip.Addr) { sc.run.State(trace.IP, lane, "address", a.String()) }
	at("peer-a", sc.hosts[0].Addr())
	for _, n := range slices.Backward(sc.nats[0]) {
		sc.introduceNAT(n)
	}
	at("stun", sc.stun.Addr().Addr())
	if sc.turn != nil {
		at("turn", sc.turn.Addr().Addr())
	}
	for _, n := range sc.nats[1] {
		sc.introduceNAT(n)
	}
	at("peer-b", sc.hosts[1].Addr())
}

func (sc *scene) introduceNAT(n *netsim.NAT) {
	c := n.Config()
	behaves := fmt.Sprintf("mapping %s, filtering %s, ports %s", c.Mapping, c.Filtering, c.Ports)
	if c.BlockUDP {
		behaves = "lets no UDP through"
	}
	sc.run.State(trace.IP, n.Name(), "behaviour", behaves)
	sc.moved(n)
}

// moved tells the outside address that a NAT has now.
func (sc *scene) moved(n *netsim.NAT) {
	sc.run.State(trace.IP, n.Name(), "address outside", n.External().String())
}

// carrierInside are the networks between a provider's NAT and its customers'
// (RFC 6598).
var carrierInside = [2]netip.Prefix{netip.MustParsePrefix("100.64.1.0/24"), netip.MustParsePrefix("100.64.2.0/24")}

// servers are the URLs that both agents are given.
func (sc *scene) servers(peer string) []*stun.URI {
	uri := func(s *icesim.Server, scheme stun.SchemeType, proto stun.ProtoType) *stun.URI {
		u := &stun.URI{Scheme: scheme, Host: s.Addr().Addr().String(), Port: int(s.Addr().Port()), Proto: proto}
		if scheme == stun.SchemeTypeTURN {
			u.Username, u.Password = s.Credentials(peer)
		}
		return u
	}
	all := []*stun.URI{uri(sc.stun, stun.SchemeTypeSTUN, stun.ProtoTypeUDP)}
	if sc.turn != nil {
		all = append(all, uri(sc.turn, stun.SchemeTypeTURN, stun.ProtoTypeUDP))
	}
	if sc.setup.relay == RelayAny {
		all = append(all, uri(sc.turn, stun.SchemeTypeTURN, stun.ProtoTypeTCP))
	}
	return all
}

// predict is what the rule says about the pair.
func (sc *scene) predict() nat.Prediction {
	p := nat.Predict(sc.setup.a.behavior(), sc.setup.b.behavior(), sc.setup.relay != RelayNone)
	if sc.setup.relay == RelayUDP && (sc.setup.a.behavior().Blocked || sc.setup.b.behavior().Blocked) {
		return nat.Prediction{Outcome: nat.Fails, Rule: "UDP is blocked, and the relay is reached by UDP only."}
	}
	return p
}

// close ends its servers and its network, and with it all that waits for it.
func (sc *scene) close() {
	sc.stop()
	if n := sc.run.Net(); n != nil {
		n.Close()
	}
}
