package portmapping

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"peerlab/icesim"
	"peerlab/igdsim"
	"peerlab/lab"
	"peerlab/nat"
	"peerlab/netsim"
	"peerlab/trace"
)

// Lanes.
const (
	laptop  = "laptop"
	router  = "router"
	carrier = "carrier"
	outside = "outside"
	console = "console"
)

// home is a simulated home with a router, a laptop in it with a program that
// wants to be reached, and somebody outside.
type home struct {
	p   Params
	way string
	run *lab.Run

	nat     *netsim.NAT
	carrier *netsim.NAT // nil: none
	router  *igdsim.Router
	laptop  *lab.Host
	outside *lab.Host
	stun    *icesim.Server
	opener  opener
	tally   tally

	killing sync.Once
	killed  chan struct{} // closed: the program is no more
	result  result
}

// newHome builds it on a network of its own.
func newHome(ctx context.Context, p Params, r *lab.Run, way string) (*home, error) {
	h := &home{p: p, way: way, killed: make(chan struct{})}
	h.run = r.VariantOnLink(way, lab.Emulation{Link: r.Settings().Link(), Tap: h.tally.count})
	if err := h.build(ctx); err != nil {
		return nil, err
	}
	see := watch(h.run, laptop, router)
	m := nat.Mapping{Protocol: p.protocol(), InternalPort: uint16(p.Port), Description: "Peerlab " + way}
	if way == byPMP {
		asker, err := nat.NewPMP(nat.PMPConfig{Gateway: h.nat.Gateway(), Local: h.laptop.Addr(), Network: h.laptop, Observer: see})
		if err != nil {
			return nil, err
		}
		h.opener = &pmp{asker: asker, m: m}
		return h, nil
	}
	h.opener = &upnp{m: m, finder: nat.NewFinderOn(nat.FinderConfig{
		Network: h.laptop, Local: netip.PrefixFrom(h.laptop.Addr(), h.nat.Inside().Bits()), Observer: see,
	})}
	return h, nil
}

// beyond are the networks between a second NAT and the home router.
var beyond = map[string]netip.Prefix{
	"private":       netip.MustParsePrefix("192.168.100.0/24"),
	"carrier-grade": netip.MustParsePrefix("100.64.1.0/24"),
}

func (h *home) build(ctx context.Context) (err error) {
	behaviour := netsim.NATConfig{Filtering: netsim.AddressAndPortDependent}
	if h.p.Carrier == "none" {
		h.nat, err = h.run.NAT(router, behaviour)
	} else {
		second := behaviour
		second.Inside = beyond[h.p.Carrier]
		if h.carrier, err = h.run.NAT(carrier, second); err != nil {
			return err
		}
		h.nat, err = h.run.NATBehind(h.carrier, router, behaviour)
	}
	if err != nil {
		return err
	}
	if h.laptop, err = h.run.HostBehind(h.nat, laptop); err != nil {
		return err
	}
	if h.outside, err = h.run.Host(outside); err != nil {
		return err
	}
	if h.stun, err = icesim.NewServer(h.outside, nil); err != nil {
		return err
	}
	h.run.Go(func(ctx context.Context) error { return h.stun.Run(ctx) })
	if err := h.startRouter(); err != nil {
		return err
	}
	h.introduce()
	if h.p.Taken {
		return h.takePort(ctx)
	}
	return nil
}

// startRouter puts the services of a home router on the inside of the NAT.
func (h *home) startRouter() error {
	inside, err := h.run.Router(h.nat)
	if err != nil {
		return err
	}
	sim, err := h.nat.Router()
	if err != nil {
		return err
	}
	if err := sim.Join(igdsim.Group); err != nil {
		return err
	}
	h.router, err = igdsim.New(igdsim.Config{
		Name: "Simulated home router", Host: inside, NAT: h.nat,
		OnlyPermanent: h.p.Leases == "refused", OnChange: tableOf(h.run, router),
	})
	if err != nil {
		return err
	}
	h.run.Go(h.router.Run)
	return nil
}

// introduce says who is where, in the order of the lanes.
func (h *home) introduce() {
	h.run.State(trace.IP, laptop, "address", h.laptop.Addr().String())
	h.run.State(trace.App, router, "what it is", "simulated: UPnP (InternetGatewayDevice:1) and NAT-PMP")
	h.run.State(trace.IP, router, "address inside", h.nat.Gateway().String())
	h.run.State(trace.IP, router, "address outside", h.nat.External().String())
	if h.carrier != nil {
		h.run.State(trace.IP, carrier, "address outside", h.carrier.External().String())
	}
	h.run.State(trace.IP, outside, "address", h.outside.Addr().String())
}

// takePort has another machine of the home take the port first.
func (h *home) takePort(ctx context.Context) error {
	host, err := h.run.HostBehind(h.nat, console)
	if err != nil {
		return err
	}
	asker, err := nat.NewPMP(nat.PMPConfig{Gateway: h.nat.Gateway(), Network: host})
	if err != nil {
		return err
	}
	if _, err := asker.Map(ctx, h.p.protocol(), uint16(h.p.Port), uint16(h.p.Port), nat.MaxLease); err != nil {
		return fmt.Errorf("the console maps its port: %w", err)
	}
	return nil
}

// tableOf records a simulated router's table as states of a lane.
func tableOf(r *lab.Run, lane string) func(igdsim.Change) {
	return func(c igdsim.Change) {
		key := fmt.Sprintf("%s %d, by %s", c.Proto, c.External, c.By)
		if c.Gone {
			r.Add(trace.Event{Kind: trace.State, Layer: trace.App, From: lane, Name: key, Attrs: map[string]string{"gone": c.Why}})
			return
		}
		life := "for ever"
		if c.Lease > 0 {
			life = "for " + c.Lease.String()
		}
		r.State(trace.App, lane, key, fmt.Sprintf("to %s, %s, %q", c.To, life, c.Text))
	}
}

func (h *home) restart() {
	h.run.Note("The router restarts.")
	h.router.Restart()
	h.nat.Expire()
}

func (h *home) kill() { h.killing.Do(func() { close(h.killed) }) }

func (h *home) isKilled() bool {
	select {
	case <-h.killed:
		return true
	default:
		return false
	}
}

// tally counts what the laptop sends and gets while it is told to.
type tally struct {
	mu       sync.Mutex
	counting bool
	packets  int
	bytes    int
}

func (t *tally) count(p netsim.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counting && (p.From == laptop || p.To == laptop) {
		t.packets++
		t.bytes += len(p.Data)
	}
}

func (t *tally) on(yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counting = yes
}
