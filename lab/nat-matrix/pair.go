package natmatrix

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/stun"
	"github.com/pion/transport/v2"

	"peerlab/icesim"
	"peerlab/nat"
)

// pair is two agents that try to connect.
type pair struct {
	spawn func(func(context.Context) error) // as Run.Go does
	a, b  *agent
	conns [2]*ice.Conn
}

// outcome is what became of them.
type outcome struct {
	kind          nat.Outcome
	took          time.Duration
	local, remote string // candidates of the pair that a selected
}

// newPair makes the agents of a scene.
func newPair(sc *scene, t timing, rec recorder) (*pair, error) {
	return pairOn([2]transport.Net{icesim.NewNet(sc.hosts[0]), icesim.NewNet(sc.hosts[1])}, sc.servers, t, rec, sc.run.Go)
}

// pairOn makes two agents on any networks.
func pairOn(nets [2]transport.Net, servers func(peer string) []*stun.URI, t timing, rec recorder, spawn func(func(context.Context) error)) (*pair, error) {
	p := &pair{spawn: spawn}
	for i, at := range []**agent{&p.a, &p.b} {
		name := []string{"peer-a", "peer-b"}[i]
		made, err := newAgent(name, nets[i], servers(name), t, rec)
		if err != nil {
			p.close()
			return nil, err
		}
		*at = made
	}
	if err := errors.Join(p.a.trickle(p.b), p.b.trickle(p.a)); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// region connect

// connect lets both gather and check until they are connected, or one of them
// has failed. A controls: it picks the pair.
func (p *pair) connect(ctx context.Context) (outcome, error) {
	begin := time.Now()
	userA, passwordA, err := p.a.ice.GetLocalUserCredentials()
	if err != nil {
		return outcome{}, fmt.Errorf("credentials of a: %w", err)
	}
	userB, passwordB, err := p.b.ice.GetLocalUserCredentials()
	if err != nil {
		return outcome{}, fmt.Errorf("credentials of b: %w", err)
	}
	if err := errors.Join(p.a.find(), p.b.find()); err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	both.Add(2)
	p.spawn(func(context.Context) error {
		defer both.Done()
		p.conns[0], _ = p.a.ice.Dial(ctx, userB, passwordB) // how it went is in the states
		return nil
	})
	p.spawn(func(context.Context) error {
		defer both.Done()
		p.conns[1], _ = p.b.ice.Accept(ctx, userA, passwordA)
		return nil
	})
	out, err := p.settle(ctx, begin)
	if err != nil || out.kind == nat.Fails {
		cancel() // they wait no longer
	}
	both.Wait()
	return out, err
}

// settle waits until both agents are connected, or one has failed.
func (p *pair) settle(ctx context.Context, begin time.Time) (outcome, error) {
	for _, a := range []*agent{p.a, p.b} {
		state, err := a.until(ctx, decided)
		if err != nil {
			return outcome{}, err
		}
		if !connected(state) {
			return outcome{kind: nat.Fails, took: time.Since(begin)}, nil
		}
	}
	out := outcome{kind: nat.Connects, took: time.Since(begin)}
	selected, err := p.a.ice.GetSelectedCandidatePair()
	if err != nil || selected == nil {
		return out, fmt.Errorf("connected without a pair: %w", err)
	}
	out.local, out.remote = selected.Local.Type().String(), selected.Remote.Type().String()
	if selected.Local.Type() == ice.CandidateTypeRelay || selected.Remote.Type() == ice.CandidateTypeRelay {
		out.kind = nat.Relayed
	}
	return out, nil
}

// endregion

func decided(s ice.ConnectionState) bool {
	return connected(s) || s == ice.ConnectionStateFailed || s == ice.ConnectionStateClosed
}

func connected(s ice.ConnectionState) bool {
	return s == ice.ConnectionStateConnected || s == ice.ConnectionStateCompleted
}

// restart begins anew with other credentials and candidates (RFC 8445 section
// 9). The connections stay what they are.
func (p *pair) restart() error {
	for _, a := range []*agent{p.a, p.b} {
		if err := a.ice.Restart("", ""); err != nil {
			return fmt.Errorf("%s restarts: %w", a.name, err)
		}
	}
	for _, two := range [][2]*agent{{p.a, p.b}, {p.b, p.a}} {
		user, password, err := two[0].ice.GetLocalUserCredentials()
		if err == nil {
			err = two[1].ice.SetRemoteCredentials(user, password)
		}
		if err != nil {
			return fmt.Errorf("new credentials of %s: %w", two[0].name, err)
		}
	}
	return errors.Join(p.a.find(), p.b.find())
}

// close ends both agents.
func (p *pair) close() {
	for _, a := range []*agent{p.a, p.b} {
		if a != nil {
			a.close()
		}
	}
}
