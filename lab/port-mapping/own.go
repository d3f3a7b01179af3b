package portmapping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
)

// Lanes of the machine's own network, and who asks its router. The names of the
// simulated homes stay free, as these may have to stand in.
const (
	ownByUPnP = "real-upnp"
	ownByPMP  = "real-nat-pmp"
	machine   = "this-machine"
	gateway   = "your-router"
)

// askOwnRouter looks for the router of this machine's own network and, if that
// is wanted, opens a port in it. It is for the owner of the machine only.
// Answered tells that there is a router; if not, it has said so.
func askOwnRouter(ctx context.Context, p Params, r *lab.Run) (answered bool, err error) {
	const instead = "What follows is simulated routers on emulated networks."
	if !r.Owner() {
		r.Note("Your own router was not asked: only somebody at the server's machine, by a localhost address, may do that. %s", instead)
		return false, nil
	}
	own := findOwn(ctx, r)
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	if len(own) == 0 {
		r.Note("No router of this machine's networks answers to UPnP or NAT-PMP. Many have both switched off. %s", instead)
		return false, nil
	}
	judgeOwn(r, own)
	if p.Real != "map" {
		r.Note("Nothing was mapped, as it was only to be looked at: choose “map” to open a port in your router for the stay.")
		return true, nil
	}
	var all []func(context.Context) error
	for _, o := range own {
		all = append(all, func(ctx context.Context) error { return o.experiment(ctx, p) })
	}
	return true, r.Together(ctx, all...)
}

// own is the machine's own router, asked by one protocol.
type own struct {
	run      *lab.Run
	way      string
	opener   opener
	local    netip.Addr // ours in its network
	external netip.Addr // its own outside, by its own word
}

// findOwn asks by both protocols, and tells the facts.
func findOwn(ctx context.Context, r *lab.Run) []*own {
	var upnp, pmp *own
	_ = r.Together(ctx, // who is not found is nil
		func(ctx context.Context) error { upnp = findByUPnP(ctx, r.Variant(ownByUPnP)); return nil },
		func(ctx context.Context) error { pmp = findByPMP(ctx, r.Variant(ownByPMP)); return nil })
	var found []*own
	for _, o := range []*own{upnp, pmp} {
		if o != nil {
			found = append(found, o)
		}
	}
	r.Variant(ownByUPnP).Fact("router answers", truth(upnp != nil), "of 1")
	r.Variant(ownByPMP).Fact("router answers", truth(pmp != nil), "of 1")
	return found
}

// greeting is what the service in one's own network says.
const greeting = "hello from Peerlab's lab\n"

// mapping is what is asked for; the port is known when the service listens.
func mapping() nat.Mapping { return nat.Mapping{Protocol: nat.TCP, Description: "Peerlab lab"} }

func findByUPnP(ctx context.Context, r *lab.Run) *own {
	finder := nat.NewFinderOn(nat.FinderConfig{Observer: watch(r, machine, gateway)})
	o := &upnp{finder: finder, m: mapping()}
	done := r.Begin(trace.App, machine, "find the router")
	external, err := o.find(ctx)
	if err != nil {
		done(err.Error())
		return nil
	}
	done(o.gw.Name + " at " + o.gw.Address.String())
	r.State(trace.App, gateway, "name", o.gw.Name+", "+o.gw.Model)
	r.State(trace.App, gateway, "service", o.gw.Service)
	return &own{run: r, way: ownByUPnP, opener: o, local: o.gw.Local, external: external}
}

func findByPMP(ctx context.Context, r *lab.Run) *own {
	routers, known := nat.DefaultGateways()
	if !known && len(routers) > 0 {
		r.Note("This system does not tell its default gateway; the first address of each network is asked.")
	}
	for _, at := range routers {
		asker, err := nat.NewPMP(nat.PMPConfig{Gateway: at.Router, Local: at.Local, Observer: watch(r, machine, gateway)})
		if err != nil {
			continue
		}
		o := &pmp{asker: asker, m: mapping()}
		done := r.Begin(trace.App, machine, "ask "+at.Router.String())
		external, err := o.find(ctx)
		if err != nil {
			done(err.Error())
			continue
		}
		done("it says it is " + external.String() + " outside")
		return &own{run: r, way: ownByPMP, opener: o, local: at.Local, external: external}
	}
	return nil
}

// judgeOwn says what stands between this machine and the internet, as far as the
// routers' word goes: a lab asks no server outside.
func judgeOwn(r *lab.Run, found []*own) {
	for _, o := range found {
		outside := "says no address outside"
		if o.external.IsValid() {
			outside = o.external.String()
		}
		o.run.State(trace.App, gateway, "address outside", outside)
	}
	local, err := nat.LocalAddresses()
	if err != nil {
		local = nil
	}
	first := found[0]
	if !first.external.IsValid() {
		first = found[len(found)-1] // it may say so by the other protocol
	}
	external := first.external
	kind := nat.Judge(nat.Evidence{Local: local, Router: true, UPnP: external, By: inWords[first.way]})
	switch {
	case kind.Kind != nat.Unknown:
		r.Verdict(lab.Warn, "%s", kind.Sentence)
	case external.IsValid():
		r.Verdict(lab.Good, "The router says that it is %s outside, which looks public. Whether the internet sees the same one, a STUN server could tell; a lab asks none. “Check now” on the first page does.", external)
	default:
		r.Verdict(lab.Warn, "The router does not say which address it has outside: it is not connected, or stands behind another NAT itself.")
	}
}

// experiment opens a port for a service of its own, and closes it again
// whatever happens.
func (o *own) experiment(ctx context.Context, p Params) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", netip.AddrPortFrom(o.local, 0).String())
	if err != nil {
		return fmt.Errorf("listen on this machine's address in the router's network: %w", err)
	}
	defer l.Close()
	strangers := o.serve(ctx, l)
	o.setPort(l.Addr().(*net.TCPAddr).AddrPort().Port())
	done := o.run.Begin(trace.App, machine, "open a port")
	// Whatever was asked for is taken back, also if the answer got lost.
	defer o.close(context.WithoutCancel(ctx))
	// Some routers refuse short leases. This one is over soon after the stay, should we be killed.
	g, err := o.opener.open(ctx, max(nat.MinLease, p.Stay+30*time.Second))
	o.run.Fact("mapped", truth(err == nil), "of 1")
	if err != nil {
		done("refused: " + err.Error())
		o.run.Note("The router answers and maps nothing: %v.", err)
		return ctx.Err()
	}
	to := netip.AddrPortFrom(o.external, g.external)
	done(fmt.Sprintf("port %d outside, for %s", g.external, g.lease))
	outside := to.String()
	if !to.Addr().IsValid() { // a router that does not tell its own
		outside = fmt.Sprintf("port %d", to.Port())
	}
	o.run.State(trace.App, gateway, "open", fmt.Sprintf("%s → %s", outside, l.Addr()))
	o.hairpin(ctx, to)
	if to.Addr().IsValid() {
		o.run.Note("From outside, for %s: nc %s %d", p.Stay, to.Addr(), to.Port())
	}
	if err := o.run.Sleep(ctx, p.Stay); err != nil {
		return err
	}
	o.run.Fact("came in from outside", float64(strangers()), "connections")
	return nil
}

func (o *own) setPort(port uint16) {
	switch opener := o.opener.(type) {
	case *upnp:
		opener.m.InternalPort = port
	case *pmp:
		opener.m.InternalPort = port
	}
}

// serve greets who comes, and counts those that are not of the network inside.
func (o *own) serve(ctx context.Context, l net.Listener) (strangers func() int) {
	met := make(chan net.Addr, 64)
	counted := make(chan chan int)
	o.run.Go(func(context.Context) error {
		return greet(l, greeting, func(a net.Addr) {
			select {
			case met <- a:
			default: // more than are counted
			}
		})
	})
	o.run.Go(func(ctx context.Context) error {
		n := 0
		for {
			select {
			case a := <-met:
				at, err := netip.ParseAddrPort(a.String())
				if err != nil || at.Addr().Unmap().IsPrivate() || at.Addr().Unmap() == o.external {
					continue
				}
				n++
				o.run.Message(trace.App, lab.Outside, machine, "connection", "from "+at.String()+", through the mapped port")
			case to := <-counted:
				to <- n
			case <-ctx.Done():
				return nil
			}
		}
	})
	return func() int {
		answer := make(chan int, 1)
		select {
		case counted <- answer:
			return <-answer
		case <-ctx.Done():
			return 0
		}
	}
}

// hairpin tries the mapped port from inside by its outside address, which works
// where the router hairpins; where it does not, nothing can be said from here.
func (o *own) hairpin(ctx context.Context, to netip.AddrPort) {
	if !to.Addr().IsValid() {
		return
	}
	done := o.run.Begin(trace.App, machine, "try "+to.String()+" from inside")
	wait, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	heard := ""
	c, err := new(net.Dialer).DialContext(wait, "tcp4", to.String())
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Second))
		heard, err = hear(c, false)
	}
	o.run.Fact("reached by its outside address from inside", truth(heard == greeting), "of 1")
	if heard == greeting {
		done("the service answered: the router hairpins, and forwards")
		return
	}
	if done("no answer of the service"); err == nil {
		err = errors.New("somebody else answers there")
	}
	o.run.Note("%s by its outside address from inside: %v. That can't be told apart from a router that does not hairpin, so whether the port is reachable can't be tested from here: have somebody outside try.", to, err)
}

// close takes the mapping back, and looks whether it is gone.
func (o *own) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	done := o.run.Begin(trace.App, machine, "close the port")
	err := o.opener.shut(ctx)
	o.run.Fact("removed at the end", truth(err == nil), "of 1")
	if err != nil {
		done(err.Error() + "; the router forgets it when its lease is over")
		return
	}
	done("closed")
	o.run.State(trace.App, gateway, "open", "")
}
