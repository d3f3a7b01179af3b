package holepunching

import (
	"context"
	"embed"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"peerlab/lab"
	"peerlab/netsim"
)

//go:embed lab.md punch.go rendezvous.go predict.go hold.go
var files embed.FS

// kind is a NAT by its old name.
type kind string

// The kinds, by what they do (RFC 4787 sections 4.1 and 5).
const (
	none              kind = "none"
	fullCone          kind = "full-cone"
	addressRestricted kind = "address-restricted"
	portRestricted    kind = "port-restricted"
	symmetric         kind = "symmetric"
)

// Params are what can be asked of a run.
type Params struct {
	A         kind                  `lab:"a" label:"NAT of A" default:"port-restricted" oneof:"none full-cone address-restricted port-restricted symmetric" help:"a cone has one port for a socket, whoever it talks to; they differ in whom they let in. Symmetric: a port for every destination"`
	B         kind                  `lab:"b" label:"NAT of B" default:"symmetric" oneof:"none full-cone address-restricted port-restricted symmetric"`
	Ports     netsim.PortAssignment `lab:"ports" label:"New ports" default:"sequential" oneof:"sequential preserve random" help:"how both NATs assign them: the next one, that of the inside if it is free, any"`
	Guesses   int                   `lab:"guesses" label:"Guesses" default:"8" min:"1" max:"250" unit:"ports" help:"that prediction knocks at in each round"`
	Sockets   int                   `lab:"sockets" label:"Sockets" default:"1" min:"1" max:"200" unit:"sockets" help:"that prediction opens behind a symmetric NAT with random ports: the birthday attack"`
	Others    int                   `lab:"others" label:"Neighbours" default:"9" max:"50" unit:"flows" help:"behind the same NAT take from 0 to this many ports between the meeting and the punching"`
	Tries     int                   `lab:"tries" label:"Tries" default:"12" max:"100" unit:"tries" help:"of each variant to measure the odds, each a new flow, beside the one that is shown"`
	Wait      time.Duration         `lab:"wait" label:"Patience" default:"400" min:"100" max:"3000" unit:"ms" help:"of a try, beside two round trips"`
	Lifetime  time.Duration         `lab:"lifetime" label:"Lifetime" default:"3" min:"1" max:"120" unit:"s" help:"of a mapping that nothing goes out by"`
	Keepalive time.Duration         `lab:"keepalive" label:"Keepalive" default:"1000" max:"60000" unit:"ms" help:"how often both send something through the hole; 0: never"`
	Stay      time.Duration         `lab:"stay" label:"Stay open" default:"10" max:"300" unit:"s" help:"before A says something once more"`
}

// Bounds of what a run may do: how long the tries take, and how many there can be with the most guesses and sockets.
const (
	maxTrying    = 100 * time.Second
	maxFullTries = 30
	maxAlive     = 1000 // keepalives of a run; each is a dozen events
)

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if p.Ports == netsim.Random && p.Guesses*p.Sockets*max(p.Tries, 1) > 250*200*maxFullTries {
		return &lab.ParamError{Field: "tries", Message: "would be too many packets with that many guesses and sockets: the most is " + strconv.Itoa(maxFullTries) + " with the most of both"}
	}
	if p.Keepalive > 0 && p.Stay/p.Keepalive > maxAlive {
		return &lab.ParamError{Field: "keepalive", Message: fmt.Sprintf("would be sent %d times in that stay, and the most is %d", p.Stay/p.Keepalive, maxAlive)}
	}
	if took := time.Duration(p.Tries) * p.Wait; took > maxTrying {
		return &lab.ParamError{Field: "wait", Message: fmt.Sprintf("would make the tries last %.0f s, and the most is %.0f s", took.Seconds(), maxTrying.Seconds())}
	}
	return nil
}

// nat is the kind as netsim has it.
func (k kind) nat(p Params) netsim.NATConfig {
	cfg := netsim.NATConfig{Ports: p.Ports, Lifetime: p.Lifetime}
	switch k {
	case addressRestricted:
		cfg.Filtering = netsim.AddressDependent
	case portRestricted:
		cfg.Filtering = netsim.AddressAndPortDependent
	case symmetric:
		cfg.Mapping, cfg.Filtering = netsim.AddressAndPortDependent, netsim.AddressAndPortDependent
	}
	return cfg
}

// The variants.
const (
	plain      = "plain"
	prediction = "prediction"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "hole-punching", Title: "Hole punching", Chapter: "NAT and peer to peer", Question: 420,
		Ask:      "How do two hosts behind NATs reach each other, and why does it fail when a NAT is symmetric?",
		Files:    files,
		Networks: []lab.Network{lab.Link},
		Prefix:   netip.MustParsePrefix("203.0.113.0/24"),
		Views:    []lab.View{lab.Lanes, lab.State, lab.Chart, lab.Packets, lab.Waterfall, lab.LogLines},
		Actions: []lab.Action{
			{Name: "say", Label: "A says something", Help: "One datagram through each hole that is open. Does it arrive?"},
			{Name: "expire", Label: "Expire the mappings", Help: "Both NATs forget what they know, as after a restart or a long silence."},
		},
		Duration: time.Minute,
	}, run)
}

// run shows one punching of each variant, measures the odds of both, and holds
// open what is open.
func run(ctx context.Context, p Params, r *lab.Run) error {
	link := r.Settings().Link()
	var shown []*stage
	for _, name := range []string{plain, prediction} {
		s := &stage{p: p, predict: name == prediction}
		s.run = r.VariantOnLink(name, lab.Emulation{Link: link, Tap: s.tally.count})
		if err := s.open(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.introduce()
		if err := s.show(ctx); err != nil {
			return err
		}
		shown = append(shown, s)
	}
	conclude(p, r, shown)
	measured, err := measure(p, r, shown)
	if err != nil {
		return err
	}
	return hold(ctx, p, r, shown, measured)
}
