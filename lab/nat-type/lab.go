package nattype

import (
	"context"
	"embed"
	"net/netip"
	"strconv"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/netsim"
)

//go:embed lab.md subject.go truth.go light.go lifetime.go
var files embed.FS

// What can be in front of the emulated host.
const (
	frontNAT     = "nat"
	frontNone    = "none"
	frontBlocked = "udp-blocked"
)

// How many addresses the emulated STUN server has; the names of variants.
const (
	twoAddresses = "two-addresses"
	oneAddress   = "one-address"
)

// Params are what can be asked of a run.
type Params struct {
	Front     string                `lab:"front" on:"link" label:"In front" oneof:"nat none udp-blocked" help:"of the emulated host"`
	Mapping   netsim.Dependence     `lab:"mapping" on:"link" label:"Mapping" default:"endpoint-independent" oneof:"endpoint-independent address-dependent address-and-port-dependent" help:"on what the outside port of a socket depends"`
	Filtering netsim.Dependence     `lab:"filtering" on:"link" label:"Filtering" default:"address-and-port-dependent" oneof:"endpoint-independent address-dependent address-and-port-dependent" help:"whom a mapping lets in: anybody, addresses, or addresses and ports that were written to"`
	Ports     netsim.PortAssignment `lab:"ports" on:"link" label:"Ports" oneof:"preserve sequential random" help:"how outside ports are assigned"`
	Hairpin   bool                  `lab:"hairpin" on:"link" label:"Hairpinning" help:"hosts inside reach each other by their outside addresses"`
	Life      time.Duration         `lab:"life" on:"link" label:"Mapping life" default:"30" min:"2" max:"300" unit:"s" help:"without packets from inside"`
	Servers   string                `lab:"servers" on:"link" label:"STUN server has" oneof:"both two-addresses one-address" help:"both: what one address can tell, beside what two can"`
	Server    string                `lab:"server" label:"Ask on the internet" maxlen:"100" help:"on the loopback: host:port of a STUN server; empty: those this Peerlab knows"`
	Lifetime  time.Duration         `lab:"lifetime" label:"Measure the lifetime" default:"0" max:"240" unit:"s" help:"of a mapping, waiting for this long at most; 0: it is not measured"`
	Stay      time.Duration         `lab:"stay" label:"Stay open" default:"30" max:"300" unit:"s" help:"for browsers to be measured, too"`
}

// minPort is the lowest that a visitor may have asked: STUN lives above it, and
// services that could take offence below.
const minPort = 1024

// Validate judges what the tags can't.
func (p *Params) Validate() error {
	if p.Server == "" {
		return nil
	}
	_, port, err := nat.ParseServer(p.Server)
	if number, _ := strconv.Atoi(port); err != nil || number < minPort {
		return &lab.ParamError{Field: "server", Message: "must be host:port of a STUN server, with a name or an IPv4 address and a port from 1024 up"}
	}
	return nil
}

// Surroundings is what the lab is told of the server that runs it.
type Surroundings struct {
	// STUN are the servers to ask on the internet unless a run names another; as
	// nat.ParseServer reads them.
	STUN []string
	// Gateways looks for routers that speak UPnP; nil: no router is asked anything.
	Gateways nat.Discoverer
}

// New makes the lab, to be put in the list of labs.
func New(around Surroundings) func() (*lab.Lab, error) {
	return func() (*lab.Lab, error) {
		return lab.New(lab.Info{
			Slug: "nat-type", Title: "What is in front of me?", Chapter: "NAT and peer to peer", Question: 420,
			Ask:     "What kind of NAT is in front of me, and with whom can I connect directly?",
			Files:   files,
			Views:   []lab.View{lab.Lanes, lab.State, lab.Matrix, lab.Waterfall, lab.Chart, lab.Packets, lab.LogLines},
			Visitor: "nat",
			Actions: []lab.Action{{Name: "enough", Label: "Enough of waiting", Help: "The measurement of the lifetime ends with what it knows."}},
			Commands: []lab.Command{
				{Text: "turnutils_natdiscovery -m -p {itself.port} -L {itself.host} {itself.host}", Note: "The same question, from a program that we did not write (of coturn): no NAT between this machine and itself."},
			},
			// The emulated link first: nobody outside is asked unless somebody wants it.
			Networks: []lab.Network{lab.Link, lab.Loopback}, Prefix: internet,
			Outside: true, Duration: 5 * time.Minute, // a long lifetime is waited for several times
		}, func(ctx context.Context, p Params, r *lab.Run) error {
			return (&session{around: around, p: p, r: r, table: newTable(r)}).run(ctx)
		})
	}
}

// internet is a network whose addresses look public (RFC 5737).
var internet = netip.MustParsePrefix("203.0.113.0/24")

// session is one run.
type session struct {
	around Surroundings
	p      Params
	r      *lab.Run
	table  *table
}

// run measures this side, while browsers measure theirs, and stays open for
// them a while.
func (s *session) run(ctx context.Context) error {
	waiting, enough := context.WithCancel(ctx)
	defer enough()
	measured := make(chan error, 1)
	s.r.Go(func(ctx context.Context) error {
		var err error
		if s.r.Network() == lab.Link {
			err = s.emulated(ctx, waiting)
		} else {
			err = s.real(ctx, waiting)
		}
		measured <- err
		return err
	})
	over := make(<-chan time.Time) // never, until all is measured
	for {
		select {
		case err := <-measured:
			if err != nil {
				return err
			}
			over = time.After(s.p.Stay)
		case <-over:
			return nil
		case <-s.r.Actions(): // there is one
			enough()
		case v := <-s.r.Visits():
			s.table.visit(v)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
