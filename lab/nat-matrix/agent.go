package natmatrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/stun"
	"github.com/pion/transport/v2"

	"peerlab/trace"
)

// recorder takes what an agent does: a *lab.Run, or nobody.
type recorder interface {
	Message(layer trace.Layer, from, to, name, text string)
	State(layer trace.Layer, lane, key, value string)
	Begin(layer trace.Layer, lane, name string) (end func(text string))
}

// silent is the recorder of the pairs of a table.
type silent struct{}

func (silent) Message(trace.Layer, string, string, string, string)  {}
func (silent) State(trace.Layer, string, string, string)            {}
func (silent) Begin(trace.Layer, string, string) (end func(string)) { return func(string) {} }

// timing is how patient agents are.
type timing struct {
	check                time.Duration // between two checks
	relayWait            time.Duration // before a relayed pair is good enough
	keepalive            time.Duration // consent (RFC 7675)
	disconnected, failed time.Duration
}

// agent is one ICE agent, and what is known of it.
type agent struct {
	name string
	ice  *ice.Agent
	rec  recorder

	mu        sync.Mutex
	state     ice.ConnectionState
	changed   chan struct{} // closed at the next change
	phase     func(string)  // ends the span of the state
	gather    func(string)  // ends that of gathering
	gathering bool

	looking sync.Mutex
	shown   map[string]string // states of pairs as they were recorded last
}

// region agent

// newAgent makes an agent on a network. Its candidates are UDP's only, as
// browsers' mostly are.
func newAgent(name string, network transport.Net, servers []*stun.URI, t timing, rec recorder) (*agent, error) {
	a := &agent{name: name, rec: rec, changed: make(chan struct{}), shown: map[string]string{}, phase: func(string) {}, gather: func(string) {}}
	zero, reflexive := time.Duration(0), 100*time.Millisecond
	// A pair is given up after so many checks; they have to outlast the round trip.
	requests := uint16((t.disconnected + t.failed) / t.check)
	var err error
	a.ice, err = ice.NewAgent(&ice.AgentConfig{
		Net: network, Urls: servers, NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4},
		CandidateTypes:   []ice.CandidateType{ice.CandidateTypeHost, ice.CandidateTypeServerReflexive, ice.CandidateTypeRelay},
		MulticastDNSMode: ice.MulticastDNSModeDisabled,
		CheckInterval:    &t.check, KeepaliveInterval: &t.keepalive,
		DisconnectedTimeout: &t.disconnected, FailedTimeout: &t.failed, MaxBindingRequests: &requests,
		// The controlling side waits for better pairs before it takes a relayed one.
		HostAcceptanceMinWait: &zero, SrflxAcceptanceMinWait: &reflexive, PrflxAcceptanceMinWait: &reflexive,
		RelayAcceptanceMinWait: &t.relayWait,
		LoggerFactory:          &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		return nil, fmt.Errorf("ICE agent %s: %w", name, err)
	}
	return a, a.ice.OnConnectionStateChange(a.stateIs)
}

// endregion

// stateIs notes a change of state.
func (a *agent) stateIs(s ice.ConnectionState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := strings.ToLower(s.String())
	a.phase(name)
	a.state = s
	a.phase = func(string) {}
	if s != ice.ConnectionStateClosed && s != ice.ConnectionStateFailed {
		a.phase = a.rec.Begin(trace.ICE, a.name, name)
	}
	a.rec.State(trace.ICE, a.name, "ICE", name)
	close(a.changed)
	a.changed = make(chan struct{})
}

// until waits for a state that is wanted.
func (a *agent) until(ctx context.Context, wanted func(ice.ConnectionState) bool) (ice.ConnectionState, error) {
	for {
		a.mu.Lock()
		state, changed := a.state, a.changed
		a.mu.Unlock()
		if wanted(state) {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return state, ctx.Err()
		}
	}
}

// named is the state in a sentence.
func (a *agent) named() string { return strings.ToLower(a.now().String()) }

func (a *agent) now() ice.ConnectionState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// trickle gives the other agent each candidate as it is found. Signaling is not
// on the emulated network: it takes no time.
func (a *agent) trickle(to *agent) error {
	return a.ice.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			a.mu.Lock()
			a.gather("all there are")
			a.gather, a.gathering = func(string) {}, false
			a.mu.Unlock()
			return
		}
		a.rec.Message(trace.ICE, a.name, to.name, fmt.Sprintf("candidate %s %s:%d", c.Type(), c.Address(), c.Port()), "by signaling: "+c.Marshal())
		copied, err := ice.UnmarshalCandidate(c.Marshal())
		if err == nil {
			err = to.ice.AddRemoteCandidate(copied)
		}
		if err != nil && !errors.Is(err, ice.ErrClosed) {
			a.rec.State(trace.ICE, a.name, "candidate not taken", err.Error())
		}
	})
}

// find begins to gather candidates.
func (a *agent) find() error {
	a.mu.Lock()
	a.gather("")
	a.gather, a.gathering = a.rec.Begin(trace.ICE, a.name, "gathering"), true
	a.mu.Unlock()
	if err := a.ice.GatherCandidates(); err != nil {
		return fmt.Errorf("%s gathers candidates: %w", a.name, err)
	}
	return nil
}

// busy tells whether it is still gathering: it can't begin anew then.
func (a *agent) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gathering
}

// pairs records the pairs of the check list that are in another state than when
// it looked last. A restart makes a new list.
func (a *agent) pairs() {
	a.looking.Lock()
	defer a.looking.Unlock()
	local, err := a.ice.GetLocalCandidates()
	if err != nil {
		return // it is closed
	}
	remote, err := a.ice.GetRemoteCandidates()
	if err != nil {
		return
	}
	names := map[string]string{}
	for _, c := range append(local, remote...) {
		names[c.ID()] = fmt.Sprintf("%s %s:%d", c.Type(), c.Address(), c.Port())
	}
	listed := map[string]bool{}
	for _, p := range a.ice.GetCandidatePairsStats() {
		key := fmt.Sprintf("%s ↔ %s", names[p.LocalCandidateID], names[p.RemoteCandidateID])
		value := p.State.String()
		if p.Nominated {
			value += ", nominated"
		}
		listed[key] = true
		if a.shown[key] != value {
			a.shown[key] = value
			a.rec.State(trace.ICE, a.name, key, value)
		}
	}
	for key := range a.shown {
		if !listed[key] {
			delete(a.shown, key)
			a.rec.State(trace.ICE, a.name, key, "")
		}
	}
}

// close ends the agent and its spans.
func (a *agent) close() {
	// What it still gathers ends with its network, which is closed before.
	_ = a.ice.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase("closed")
	a.gather("cut short")
	a.phase, a.gather = func(string) {}, func(string) {}
}
