package packets

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
	"peerlab/tlsrecord"
	"peerlab/trace"
)

//go:embed lab.md filter.go compile.go capture.go live.go decode.go streams.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Filter string        `lab:"filter" label:"Filter" default:"tcp port http" maxlen:"120" help:"a part of what tcpdump takes: ip ip6 tcp udp icmp, [tcp|udp] [src|dst] port N (or http, https, domain), [src|dst] host A, less N, greater N, and or not ( ); and, or: from left to right"`
	Size   int           `lab:"size" label:"Page" default:"12" min:"1" max:"200" unit:"kB" help:"fetched once in the clear and once over TLS"`
	Lose   int           `lab:"lose" label:"Lose on purpose" default:"4" max:"50" help:"on the link: which segment with data from the server never arrives, counted from 1; 0: none"`
	Keys   bool          `lab:"keys" label:"Write down the TLS keys" default:"true"`
	Ports  string        `lab:"ports" label:"Live capture sees" oneof:"own any" help:"on the loopback: the run's own ports, or whatever passes the filter"`
	Device string        `lab:"device" label:"Device" default:"lo" maxlen:"15" help:"of the live capture"`
	Stay   time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"on the loopback, for you, when the pages are fetched"`
}

// Validate refuses a filter that can't be understood.
func (p *Params) Validate() error {
	e, err := parseFilter(p.Filter, usual)
	if err == nil {
		_, err = compile(e, overIP)
	}
	if err != nil {
		return &lab.ParamError{Field: "filter", Message: "can't be used: " + err.Error()}
	}
	return nil
}

// maxFile is the most that is taken of a capture file.
const maxFile = 2 << 20

// New returns what makes the lab, to be put in the list of labs. Where capture is
// allowed, who sits at the server's own machine can have its packets captured.
func New(capture bool) func() (*lab.Lab, error) {
	return func() (*lab.Lab, error) { return describe(capture) }
}

func describe(allowed bool) (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "packets", Title: "Reading raw packets", Chapter: "TCP and UDP", Question: 406,
		Ask:      "How do you capture packets in Go, and read them layer by layer?",
		Files:    lab.Sources(files, tlsrecord.Source),
		Views:    []lab.View{lab.Packets, lab.Lanes, lab.Matrix, lab.State, lab.LogLines},
		Networks: []lab.Network{lab.Link, lab.Loopback},
		Captures: true,
		Upload: &lab.Upload{
			Label: "Or a capture of yours", Help: "A pcap or pcapng file to look at instead, of up to 2,000 packets",
			Accept: ".pcap,.pcapng,.cap", Max: maxFile,
		},
		Commands: []lab.Command{
			{Text: "curl -s -o /dev/null http://{host}:{port}/page", Note: "With a live capture your packets are in the list: look for your own User-Agent."},
			{Text: "curl -sk -o /dev/null https://{host}:{secure}/page", Note: "The same over TLS: the ClientHello is all that can be read of it."},
			{Text: "dig +short @{host} -p {dns} " + siteName, Note: "One datagram there, one back."},
			{Text: "sudo tshark -i lo -f 'port {port} or port {secure} or port {dns}'", Note: "Somebody else's capture of the same, while you run one of the others."},
		},
	}, func(ctx context.Context, p Params, r *lab.Run) error {
		c := newCapture(r)
		c.allowed = allowed
		return c.work(ctx, p)
	})
}

// work captures what the network chosen has to offer, and then looks at it.
func (c *capture) work(ctx context.Context, p Params) error {
	r := c.run
	var err error
	if f := r.File(); f != nil {
		err = c.file(p, f)
	} else {
		err = c.talk(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	c.facts() // also when time is up: what was captured until then
	if err == nil {
		err = decodings(ctx, r, c.packets())
	}
	c.verdict(table(r, c.conversations(), c.keys.Log()))
	return err
}

// talk has a conversation on the network chosen, and captures it there.
func (c *capture) talk(ctx context.Context, p Params) error {
	t := &talk{run: c.run, p: p, keys: &c.keys, sockets: &c.sockets}
	if c.run.Network() == lab.Link {
		c.run.Tap(c.tapped)
	}
	if err := t.open(); err != nil {
		return err
	}
	c.own = t.services()
	if err := c.filter(p.Filter, c.own); err != nil {
		return err
	}
	if c.run.Network() == lab.Loopback {
		stop, err := c.live(p)
		if err != nil {
			c.blind = err
			c.run.Note("No packets: %v. What follows was read from the sockets instead.", err)
			stop = func() {}
		}
		defer stop()
	}
	if err := t.hold(ctx); err != nil {
		return err
	}
	if c.run.Network() == lab.Loopback {
		c.run.Note("The pages are fetched. The servers stay open for %s.", p.Stay)
		// A capture is a little behind: what the kernel has counted still has to be read.
		return c.run.Sleep(ctx, max(p.Stay, 100*time.Millisecond))
	}
	// The last acknowledgements are on their way.
	return c.run.Sleep(ctx, 4*c.run.Settings().Delay+50*time.Millisecond)
}

// verdict is what the run comes to: who can read what.
func (c *capture) verdict(o opened) {
	s := c.stats()
	tell := c.run.Verdict
	if c.unreadable != nil && s.packets > 0 {
		tell = func(_ lab.Tone, format string, args ...any) {
			c.run.Verdict(lab.Warn, "Not all of the file was read: %v. %s", c.unreadable, fmt.Sprintf(format, args...))
		}
	}
	switch {
	case c.blind != nil:
		tell(lab.Warn, "No packet was captured: %v. The loopback has real packets, and the kernel shows them only to whom it trusts.", c.blind)
	case s.packets == 0 && c.unreadable != nil:
		tell(lab.Bad, "No packet could be read from the file: %v.", c.unreadable)
	case s.packets == 0:
		tell(lab.Warn, "There was no packet to look at.")
	case o.records == 0:
		tell(lab.Good, "%d packets, %d of them pass the filter. None carries TLS 1.3 that could be followed from its start, so there is nothing to open.", s.packets, s.passed)
	case o.sealed == 0 || o.opened == 0 && o.older:
		tell(lab.Warn, "%d packets, %d of them pass the filter. Of TLS there is the name of the server (%s), and nothing that is opened here: this lab opens TLS 1.3, Wireshark older versions as well.", s.packets, s.passed, or(o.name, "not told"))
	case o.opened == 0:
		tell(lab.Warn, "Whoever sees the packets reads what is in the clear, and of TLS the name of the server (%s) and how much is said. Without the keys %d records stay closed.", or(o.name, "not told"), o.sealed)
	default:
		tell(lab.Good, "Whoever sees the packets reads what is in the clear, and of TLS the name of the server (%s) and how much is said. With the keys %d of %d sealed records open: “%s”.",
			or(o.name, "not told"), o.opened, o.sealed, or(o.first, "nothing was said yet"))
	}
}

// facts tells what was captured, and what the filter would have left.
func (c *capture) facts() {
	s := c.stats()
	for _, v := range []struct {
		name           string
		packets, bytes int
	}{{"everything", s.packets, s.bytes}, {"filtered", s.passed, s.passedBytes}} {
		one := c.run.Variant(v.name)
		one.Fact("packets", float64(v.packets), "packets")
		one.Fact("bytes to copy", float64(v.bytes), "B")
	}
	if c.run.Net() != nil { // elsewhere nobody can know
		c.run.Fact("lost on the way", float64(s.lost), "packets")
		c.run.Fact("sent again", float64(s.again), "packets")
	}
	if s.dropped >= 0 {
		c.run.Fact("missed by the capture", float64(s.dropped), "packets")
	}
	for i, ins := range c.program {
		c.run.State(trace.IP, "filter", fmt.Sprintf("%02d", i), fmt.Sprint(ins))
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
