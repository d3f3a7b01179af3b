package webrtc

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	pion "github.com/pion/webrtc/v3"

	"peerlab/icesim"
	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// internets are networks whose addresses look public (RFC 5737, and RFC 2544 for the
// last). What is compared is on different ones, so that Wireshark can tell two connections apart.
var internets = [4]netip.Prefix{
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/24"),
}

// scene is two peers on a network of their own, not connected yet.
type scene struct {
	r         *lab.Run
	hosts     [2]*lab.Host
	addresses map[string]netip.Addr // by lane

	mu   sync.Mutex
	link netsim.Link // when nobody has cut it
}

// newScene puts them on the i-th of the internets, each behind a NAT of the kind that most homes have
// if asked for. Whatever the tap is given sees every packet.
func newScene(r *lab.Run, name string, i int, nats bool, tap func(netsim.Packet)) (*scene, error) {
	link := r.Settings().Link()
	sc := &scene{r: r.VariantOnLink(name, lab.Emulation{Link: link, Prefix: internets[i], Tap: tap}), link: link, addresses: map[string]netip.Addr{}}
	for i, name := range []string{"a", "b"} {
		h, err := sc.place(name, nats)
		if err != nil {
			return nil, err
		}
		sc.hosts[i] = h
		sc.addresses[h.Name()] = h.Addr()
	}
	return sc, nil
}

func (sc *scene) place(name string, nats bool) (*lab.Host, error) {
	if !nats {
		return sc.r.Host("peer-" + name)
	}
	nat, err := sc.r.NAT("nat-"+name, netsim.NATConfig{Filtering: netsim.AddressAndPortDependent})
	if err != nil {
		return nil, err
	}
	sc.addresses[nat.Name()] = nat.External()
	return sc.r.HostBehind(nat, "peer-"+name)
}

// serve starts a host with the signaling and a STUN server, and returns the URL
// of the latter.
func (sc *scene) serve() (stun string, err error) {
	h, err := sc.r.Host("server")
	if err != nil {
		return "", err
	}
	sc.addresses[h.Name()] = h.Addr()
	l, err := h.Listen("tcp", signalingPort)
	if err != nil {
		return "", err
	}
	server, err := icesim.NewServer(h, nil)
	if err != nil {
		return "", err
	}
	sc.r.Go(server.Run)
	sc.r.Go(func(context.Context) error {
		_ = relay(sc.r, l) // it ends with the run
		return nil
	})
	return "stun:" + server.Addr().String(), nil
}

// introduce tells the addresses, in the order in which the lanes should stand.
func (sc *scene) introduce(lanes ...string) {
	for _, lane := range lanes {
		if a, there := sc.addresses[lane]; there {
			sc.r.State(trace.IP, lane, "address", a.String())
		}
	}
}

// busy says so if this machine was: what it does late is late on top of the link.
func (sc *scene) busy() {
	if late := sc.r.Net().Stats().LateMax; late > 2*slack {
		sc.r.Note("This machine was busy: packets were handed over up to %g ms later than the link says, and times include that.", round(late))
	}
}

// lose sets the loss of the line, in percent.
func (sc *scene) lose(percent float64) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.link.Loss = percent / 100
	return sc.r.Net().Set(sc.link)
}

// cut stops the line, or restores it.
func (sc *scene) cut(down bool) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	link := sc.link
	if down {
		link.Loss = 1
	}
	return sc.r.Net().Set(link)
}

// down takes the line down for a while.
func (sc *scene) down(d time.Duration) {
	sc.r.Go(func(ctx context.Context) error {
		if err := sc.cut(true); err != nil {
			return err
		}
		if err := sc.r.Sleep(ctx, d); err != nil {
			return err
		}
		return sc.cut(false)
	})
}

// join lets two peers meet without a signaling server, in no time: what comes
// before the channels is of no interest then.
func join(ctx context.Context, a, b *pion.PeerConnection) error {
	offer, err := a.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	if offer, err = complete(ctx, a, offer); err != nil {
		return err
	}
	if err := b.SetRemoteDescription(offer); err != nil {
		return fmt.Errorf("take the offer: %w", err)
	}
	answer, err := b.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if answer, err = complete(ctx, b, answer); err != nil {
		return err
	}
	if err := a.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	return nil
}

// complete is a description with all its candidates.
func complete(ctx context.Context, pc *pion.PeerConnection, d pion.SessionDescription) (pion.SessionDescription, error) {
	all := pion.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return d, fmt.Errorf("local description: %w", err)
	}
	select {
	case <-all:
		return *pc.LocalDescription(), nil
	case <-ctx.Done():
		return d, ctx.Err()
	}
}
