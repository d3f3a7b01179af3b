package icesim_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/stun"

	"peerlab/icesim"
	"peerlab/leaks"
	"peerlab/netsim"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// world is a net with our server on it, and a host for each of two agents,
// behind NATs if asked for.
type world struct {
	*testing.T
	server *icesim.Server
	hosts  [2]*netsim.Host
}

func newWorld(t *testing.T, nat *netsim.NATConfig) *world {
	t.Helper()
	n, err := netsim.New(netsim.Config{Prefix: netip.MustParsePrefix("203.0.113.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t}
	stunHost, err := n.Host("stun")
	if err != nil {
		t.Fatal(err)
	}
	if w.server, err = icesim.NewServer(stunHost, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := w.server.Run(ctx); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait(); n.Close() })
	for i, name := range []string{"a", "b"} {
		if nat == nil {
			w.hosts[i], err = n.Host(name)
		} else {
			var router *netsim.NAT
			if router, err = n.NAT("nat-"+name, *nat); err == nil {
				w.hosts[i], err = router.Host(name)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// agent makes one that takes a relayed pair only after it has waited for better ones.
func (w *world) agent(i int, types []ice.CandidateType, proto stun.ProtoType, wait time.Duration) *ice.Agent {
	w.Helper()
	user, password := w.server.Credentials("peer")
	quick := 50 * time.Millisecond
	agent, err := ice.NewAgent(&ice.AgentConfig{
		Net: icesim.NewNet(w.hosts[i]), CandidateTypes: types, NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4},
		MulticastDNSMode: ice.MulticastDNSModeDisabled, CheckInterval: &quick, RelayAcceptanceMinWait: &wait,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
		Urls: []*stun.URI{
			{Scheme: stun.SchemeTypeSTUN, Host: w.server.Addr().Addr().String(), Port: icesim.Port, Proto: stun.ProtoTypeUDP},
			{Scheme: stun.SchemeTypeTURN, Host: w.server.Addr().Addr().String(), Port: icesim.Port, Proto: proto, Username: user, Password: password},
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := agent.Close(); err != nil && !errors.Is(err, ice.ErrClosed) {
			w.Errorf("close: %v", err)
		}
	})
	return agent
}

// connect trickles between two agents until they are connected.
func (w *world) connect(a, b *ice.Agent) (x, y *ice.Conn) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	for _, pair := range [][2]*ice.Agent{{a, b}, {b, a}} {
		err := pair[0].OnCandidate(func(c ice.Candidate) {
			if c == nil {
				return
			}
			copied, err := ice.UnmarshalCandidate(c.Marshal())
			if err == nil {
				err = pair[1].AddRemoteCandidate(copied)
			}
			if err != nil && !errors.Is(err, ice.ErrClosed) {
				w.Errorf("candidate: %v", err)
			}
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	for _, agent := range []*ice.Agent{a, b} {
		if err := agent.GatherCandidates(); err != nil {
			w.Fatal(err)
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		user, password, err := b.GetLocalUserCredentials()
		if err == nil {
			x, err = a.Dial(ctx, user, password)
		}
		if err != nil {
			w.Errorf("dial: %v", err)
		}
	})
	both.Go(func() {
		user, password, err := a.GetLocalUserCredentials()
		if err == nil {
			y, err = b.Accept(ctx, user, password)
		}
		if err != nil {
			w.Errorf("accept: %v", err)
		}
	})
	both.Wait()
	if x == nil || y == nil {
		w.FailNow()
	}
	return x, y
}

func TestAgentsConnect(t *testing.T) {
	symmetric := &netsim.NATConfig{Mapping: netsim.AddressAndPortDependent, Filtering: netsim.AddressAndPortDependent}
	blocked := &netsim.NATConfig{BlockUDP: true}
	all := []ice.CandidateType{ice.CandidateTypeHost, ice.CandidateTypeServerReflexive, ice.CandidateTypeRelay}
	for name, c := range map[string]struct {
		nat   *netsim.NATConfig
		proto stun.ProtoType
		local ice.CandidateType
	}{
		"directly":                       {nil, stun.ProtoTypeUDP, ice.CandidateTypeHost},
		"by the relay, over UDP":         {symmetric, stun.ProtoTypeUDP, ice.CandidateTypeRelay},
		"by the relay, over TCP":         {blocked, stun.ProtoTypeTCP, ice.CandidateTypeRelay},
		"through NATs, by their punches": {&netsim.NATConfig{Filtering: netsim.AddressAndPortDependent}, stun.ProtoTypeUDP, ice.CandidateTypeServerReflexive},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.nat)
			wait := 10 * time.Second // a busy machine may be late with the direct pair
			if c.local == ice.CandidateTypeRelay {
				wait = 0 // there is no better one
			}
			a, b := w.agent(0, all, c.proto, wait), w.agent(1, all, c.proto, wait)
			x, y := w.connect(a, b)
			pair, err := a.GetSelectedCandidatePair()
			if err != nil || pair == nil {
				t.Fatalf("no pair: %v", err)
			}
			relayed := pair.Local.Type() == ice.CandidateTypeRelay || pair.Remote.Type() == ice.CandidateTypeRelay
			if relayed != (c.local == ice.CandidateTypeRelay) {
				t.Errorf("connected by %s", pair)
			}
			if _, err := x.Write([]byte("through it")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			_ = y.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, err := y.Read(buf); string(buf[:n]) != "through it" {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		})
	}
}
