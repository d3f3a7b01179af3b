package natmatrix

import (
	"context"
	"embed"
	"fmt"
	"net/netip"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/netsim"
)

//go:embed lab.md kinds.go agent.go pair.go table.go
var files embed.FS

// Relay is what the agents are offered beside STUN.
type Relay string

// The relays.
const (
	RelayNone Relay = "none"
	RelayUDP  Relay = "turn-udp"
	RelayAny  Relay = "turn" // over UDP and TCP
)

// Params are what can be asked of a run.
type Params struct {
	Show     string                `lab:"show" label:"Show" oneof:"pair table" help:"one pair, watched packet by packet, or every pair of the table, measured"`
	A        Kind                  `lab:"a" label:"A is behind" default:"port-restricted" oneof:"open full-cone address-restricted port-restricted symmetric udp-blocked"`
	B        Kind                  `lab:"b" label:"B is behind" default:"symmetric" oneof:"open full-cone address-restricted port-restricted symmetric udp-blocked"`
	CarrierA string                `lab:"carrier-a" label:"And a carrier of A" oneof:"none full-cone port-restricted symmetric" help:"a second NAT, at the provider (CGNAT)"`
	CarrierB string                `lab:"carrier-b" label:"And a carrier of B" oneof:"none full-cone port-restricted symmetric"`
	Relay    string                `lab:"relay" label:"Relay" default:"both" oneof:"both none turn turn-udp" help:"both: without one and with TURN, side by side; turn: over UDP and TCP"`
	Ports    netsim.PortAssignment `lab:"ports" label:"Ports" oneof:"preserve sequential random" help:"how NATs assign outside ports"`
	Lifetime time.Duration         `lab:"lifetime" label:"Mapping life" default:"30" min:"2" max:"300" unit:"s" help:"without packets from inside"`
	Restart  string                `lab:"restart" label:"ICE restart" oneof:"auto hand" help:"auto: when the path has failed, or is down for two seconds; hand: by the button"`
	Pace     time.Duration         `lab:"pace" label:"Pace" default:"1000" min:"20" max:"5000" unit:"ms" help:"between two messages each way, once they are connected"`
	Stay     time.Duration         `lab:"stay" label:"Stay connected" default:"30" max:"300" unit:"s" help:"for the buttons"`
}

// maxMessages bounds the record: a message and its echo are two dozen events by a relay.
const maxMessages = 1000

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if n := p.Stay / p.Pace; p.Show == "pair" && n > maxMessages {
		return &lab.ParamError{Field: "pace", Message: fmt.Sprintf("would be %d messages in that stay, and the most is %d", n, maxMessages)}
	}
	return nil
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "nat-matrix", Title: "Two peers, two NATs", Chapter: "NAT and peer to peer", Question: 415,
		Ask:   "Why do these two peers connect, and why don't those?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.State, lab.Matrix, lab.Waterfall, lab.Chart, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "expire-a", Label: "A's NAT forgets", Help: "All mappings of A's NAT are gone, as when it was restarted."},
			{Name: "expire-b", Label: "B's NAT forgets", Help: "The same for B."},
			{Name: "move-a", Label: "A moves", Help: "A's NAT has another outside address, as providers give out at night."},
			{Name: "cut", Label: "Cut", Help: "Nothing crosses the internet until it is restored."},
			{Name: "restore", Label: "Restore", Help: "The line is as it was."},
			{Name: "restart", Label: "ICE restart", Help: "New credentials, new candidates, new checks; the connection stays."},
		},
		Networks: []lab.Network{lab.Link}, Prefix: internet, Duration: 2 * time.Minute,
	}, run)
}

// internet is a network whose addresses look public (RFC 5737).
var internet = netip.MustParsePrefix("203.0.113.0/24")

func run(ctx context.Context, p Params, r *lab.Run) error {
	if p.Show == "table" {
		return p.table(ctx, r)
	}
	return p.pair(ctx, r)
}

// relays are the ways to run, by the name of their variant.
func (p Params) relays() []Relay {
	if p.Relay == "both" {
		return []Relay{RelayNone, RelayAny}
	}
	return []Relay{Relay(p.Relay)}
}

// variant names the runs that stand side by side.
func (p Params) variant(r *lab.Run, relay Relay) *lab.Run {
	if p.Relay != "both" {
		return r
	}
	if relay == RelayNone {
		return r.Variant("stun")
	}
	return r.Variant("turn")
}

func (p Params) setup(relay Relay) setup {
	carrier := func(name string) Kind {
		if name == "none" {
			return ""
		}
		return Kind(name)
	}
	return setup{
		a: side{p.A, carrier(p.CarrierA)}, b: side{p.B, carrier(p.CarrierB)},
		relay: relay, ports: p.Ports, lifetime: p.Lifetime,
	}
}

// patience are times that fit the link: a check takes a round trip, or two of
// them by a relay, and lost ones have to be repeated.
func patience(link netsim.Link) timing {
	rtt := 2 * (link.Delay + link.Jitter)
	slack := 1.0
	if link.Loss > 0 || link.Rate > 0 {
		slack = 2
	}
	scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) * slack) }
	return timing{
		check: 200 * time.Millisecond, keepalive: 500 * time.Millisecond,
		relayWait:    scale(time.Second + 4*rtt),
		disconnected: scale(time.Second + 2*rtt), failed: scale(time.Second + 4*rtt),
	}
}

// pair runs one pair, or the same pair without and with a relay.
func (p Params) pair(ctx context.Context, r *lab.Run) error {
	t := patience(r.Settings().Link())
	var all []*talk
	var scenes []*scene
	defer func() {
		for _, sc := range scenes {
			sc.close()
		}
		for _, k := range all {
			k.pair.close()
		}
	}()
	for _, relay := range p.relays() {
		sc, err := newScene(ctx, p.variant(r, relay), p.setup(relay))
		if err != nil {
			return err
		}
		scenes = append(scenes, sc)
		sc.introduce()
		pr, err := newPair(sc, t, sc.run)
		if err != nil {
			return err
		}
		all = append(all, newTalk(sc, pr, p))
	}
	done := make(chan error, len(all))
	for _, k := range all {
		r.Go(func(ctx context.Context) error {
			err := k.run(ctx)
			done <- err
			return err
		})
	}
	return p.attend(ctx, r, all, done)
}

// attend passes actions on until all are done.
func (p Params) attend(ctx context.Context, r *lab.Run, all []*talk, done <-chan error) error {
	for left := len(all); left > 0; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-done:
			if err != nil {
				return err
			}
			left--
		case action := <-r.Actions():
			for _, k := range all {
				select {
				case k.actions <- action:
				default: // it is over, or has as many waiting as there is room for
				}
			}
		}
	}
	return nil
}

// verdict says what was measured and whether the rule had said so.
func verdict(r *lab.Run, sc *scene, out outcome) {
	rule := sc.predict()
	tone := map[nat.Outcome]lab.Tone{nat.Connects: lab.Good, nat.Relayed: lab.Warn, nat.Fails: lab.Bad}[out.kind]
	how := fmt.Sprintf("Connected directly (%s to %s) in %.2f s.", out.local, out.remote, out.took.Seconds())
	switch out.kind {
	case nat.Relayed:
		how = fmt.Sprintf("Connected by the relay (%s to %s) in %.2f s.", out.local, out.remote, out.took.Seconds())
	case nat.Fails:
		how = fmt.Sprintf("Not connected: given up after %.2f s.", out.took.Seconds())
	}
	if rule.Outcome != out.kind {
		r.Verdict(lab.Warn, "%s The rule had said %s: %s", how, rule.Outcome, rule.Rule)
		return
	}
	r.Verdict(tone, "%s %s", how, rule.Rule)
}
