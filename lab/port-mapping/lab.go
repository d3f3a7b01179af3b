package portmapping

import (
	"context"
	"embed"
	"fmt"
	"net/netip"
	"time"

	"peerlab/lab"
	"peerlab/nat"
)

//go:embed lab.md upnp.go pmp.go reach.go hold.go verdict.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Show    string        `lab:"show" label:"Show" oneof:"all protocols manners upnp nat-pmp naive" help:"protocols: upnp and nat-pmp, both with a lease that is renewed and a removal at the end; manners: upnp and naive, which asks for ever and removes nothing"`
	Carrier string        `lab:"carrier" label:"Second NAT" oneof:"none private carrier-grade" help:"between the home router and the internet: a provider's box, or a carrier's NAT with addresses of 100.64.0.0/10"`
	Service string        `lab:"service" label:"Service" oneof:"tcp udp"`
	Port    int           `lab:"port" label:"Port" default:"8080" min:"1" max:"65535" help:"of the service, and the one wanted outside"`
	Taken   bool          `lab:"taken" label:"Port taken" help:"a console in the same home has mapped the outside port already"`
	Leases  string        `lab:"leases" label:"Leases by UPnP" oneof:"granted refused" help:"refused: the router only knows mappings without an end, as a good many do"`
	Lease   time.Duration `lab:"lease" label:"Lease" default:"4" min:"1" max:"3600" unit:"s" help:"renewed at half of it"`
	Exit    string        `lab:"exit" label:"The end" oneof:"clean killed" help:"killed: no program removes anything"`
	Wait    time.Duration `lab:"wait" label:"Patience" default:"400" min:"100" max:"3000" unit:"ms" help:"of who tries from outside, beside two round trips"`
	Pace    time.Duration `lab:"pace" label:"Pace" default:"1000" min:"200" max:"10000" unit:"ms" help:"how often somebody tries from outside, and the programs look whether their mapping stands"`
	Real    string        `lab:"real" label:"Your own router" oneof:"look map" help:"on the loopback network and from this machine only. look: ask whether there is one; map: open a port in it for the stay"`
	Stay    time.Duration `lab:"stay" label:"Stay open" default:"6" max:"300" unit:"s" help:"how long the port is held open"`
}

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if tries := p.Stay / p.Pace; tries > maxTries {
		return &lab.ParamError{Field: "pace", Message: fmt.Sprintf("would make %d tries in that time, and the most is %d", tries, maxTries)}
	}
	return nil
}

// maxTries bounds the record: a try is some thirty packets, and three are at it.
const maxTries = 100

// The ways, side by side.
const (
	byUPnP = "upnp"
	byPMP  = "nat-pmp"
	naive  = "naive"
)

func (p *Params) ways() []string {
	switch p.Show {
	case "all":
		return []string{byUPnP, byPMP, naive}
	case "protocols":
		return []string{byUPnP, byPMP}
	case "manners":
		return []string{byUPnP, naive}
	}
	return []string{p.Show}
}

// protocol is the service's transport as mappings have it.
func (p *Params) protocol() nat.Protocol {
	if p.Service == "udp" {
		return nat.UDP
	}
	return nat.TCP
}

// soap is how an action is called by hand.
func soap(action, args string) string {
	return `curl -s -H 'SOAPACTION: "urn:schemas-upnp-org:service:WANIPConnection:1#` + action + `"' -d '<e><b><a>` + args + `</a></b></e>' {desk.url}control`
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "port-mapping", Title: "Port mapping", Chapter: "NAT and peer to peer", Question: 420,
		Ask:      "How does a program open a port in the router, and who closes it again?",
		Files:    files,
		Networks: []lab.Network{lab.Link, lab.Loopback},
		Emulates: true,
		Prefix:   netip.MustParsePrefix("203.0.113.0/24"),
		Views:    []lab.View{lab.Lanes, lab.State, lab.Chart, lab.Waterfall, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "restart", Label: "The routers restart", Help: "Simulated ones: their tables are lost, and nobody is told."},
			{Name: "kill", Label: "Kill the programs", Help: "At once, without a word to the router: what is left is the lease."},
		},
		Commands: []lab.Command{
			{Text: `printf 'M-SEARCH * HTTP/1.1\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n' | nc -u -w1 {desk.host} {desk.ssdp}`, Note: "is there a router? LOCATION says where it describes itself. On a real network this goes to 239.255.255.250 port 1900"},
			{Text: "curl -s {desk.url}igd.xml", Note: "the description: look for WANIPConnection, three devices deep, and its controlURL"},
			{Text: soap("AddPortMapping", "<NewExternalPort>8080</NewExternalPort><NewProtocol>TCP</NewProtocol><NewInternalPort>80</NewInternalPort><NewInternalClient>{desk.host}</NewInternalClient><NewEnabled>1</NewEnabled><NewPortMappingDescription>by hand</NewPortMappingDescription><NewLeaseDuration>20</NewLeaseDuration>"), Note: "a mapping by hand: it appears in the table of desk/router, and goes after 20 s"},
			{Text: soap("GetGenericPortMappingEntry", "<NewPortMappingIndex>0</NewPortMappingIndex>"), Note: "the first line of the table; error 713 when there is none"},
			{Text: `printf '\0\0' | nc -u -w1 {desk.host} {desk.pmp} | od -An -tu1`, Note: "the same question as GetExternalIPAddress by NAT-PMP: two bytes, and the address is the last four of twelve"},
			{Text: `printf '\0\2\0\0\0\120\37\220\0\0\0\24' | nc -u -w1 {desk.host} {desk.pmp} | od -An -tu1`, Note: "TCP port 80 inside, 8080 outside, for 20 s: twelve bytes for the page of XML above"},
		},
		Duration: time.Minute,
	}, run)
}

// run opens ports in simulated routers; on the loopback in the machine's own
// one, if there is one and the visitor may ask it.
func run(ctx context.Context, p Params, r *lab.Run) error {
	if r.Network() == lab.Loopback {
		if err := openDesk(r.Variant("desk")); err != nil {
			return fmt.Errorf("the router to play with: %w", err)
		}
		answered, err := askOwnRouter(ctx, p, r)
		if answered || err != nil {
			return err
		}
	}
	return simulate(ctx, p, r)
}

// simulate runs all ways at once, each in a home of its own.
func simulate(ctx context.Context, p Params, r *lab.Run) error {
	r.Note("Homes, NATs and routers are simulated in this server; what they say to each other is real.")
	var homes []*home
	var all []func(context.Context) error
	for _, way := range p.ways() {
		h, err := newHome(ctx, p, r, way)
		if err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
		homes = append(homes, h)
		all = append(all, h.experiment)
	}
	r.Go(func(ctx context.Context) error { return act(ctx, r, homes) })
	if err := r.Together(ctx, all...); err != nil {
		return err
	}
	conclude(p, r, homes)
	return nil
}

// act does what the buttons say in every home.
func act(ctx context.Context, r *lab.Run, homes []*home) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-r.Actions():
			for _, h := range homes {
				if name == "restart" {
					h.restart()
				} else {
					h.kill()
				}
			}
		}
	}
}
