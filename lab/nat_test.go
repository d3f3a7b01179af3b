package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// ask sends a datagram from behind a NAT to a host outside, which tells from
// where it came.
func ask(ctx context.Context, r *lab.Run) (seen net.Addr, nat *netsim.NAT, err error) {
	outside, err := r.Host("outside")
	if err != nil {
		return nil, nil, err
	}
	pc, err := outside.ListenPacket("udp", ":7")
	if err != nil {
		return nil, nil, err
	}
	if nat, err = r.NAT("router", netsim.NATConfig{Filtering: netsim.AddressAndPortDependent}); err != nil {
		return nil, nil, err
	}
	inside, err := r.HostBehind(nat, "inside")
	if err != nil {
		return nil, nil, err
	}
	c, err := inside.DialContext(ctx, "udp", "outside:7")
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return nil, nil, err
	}
	_, seen, err = pc.ReadFrom(make([]byte, 10))
	return seen, nat, err
}

func TestALabBehindANAT(t *testing.T) {
	i := info()
	i.Prefix = netip.MustParsePrefix("203.0.113.0/24")
	i.Networks = []lab.Network{lab.Link}
	l, err := lab.New(i, func(ctx context.Context, _ struct{}, r *lab.Run) error {
		for _, v := range []*lab.Run{r, r.VariantOnLink("quiet", lab.Emulation{Quiet: true})} {
			seen, nat, err := ask(ctx, v)
			if err != nil {
				return err
			}
			if !i.Prefix.Contains(nat.External()) || v.HostOf(seen) != "router" {
				return fmt.Errorf("seen at %v, which is %q", seen, v.HostOf(seen))
			}
			nat.Expire()
			if _, err := v.NAT("router", netsim.NATConfig{}); err == nil {
				return errors.New("two NATs of one name")
			}
			router, err := v.Router(nat)
			if err != nil || router.Addr() != nat.Gateway() {
				return fmt.Errorf("the router is %v, %w", router, err)
			}
			carrier, err := v.NAT("carrier", netsim.NATConfig{})
			if err != nil {
				return err
			}
			if behind, err := v.NATBehind(carrier, "second", netsim.NATConfig{}); err != nil || !carrier.Inside().Contains(behind.External()) {
				return fmt.Errorf("a NAT behind another: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "")
	var made, gone, messages int
	for _, e := range rec.Log.Events() {
		switch {
		case e.Kind == trace.State && e.From == "router" && e.Text == "lets in 203.0.113.1:7":
			made++
		case e.Kind == trace.State && e.From == "router" && e.Text == "" && e.Attrs["gone"] == "forgotten":
			gone++
		case e.Kind == trace.State:
			t.Errorf("a state on %q: %s is %q", e.From, e.Name, e.Text)
		case e.Kind == trace.Message:
			messages++
		}
	}
	if made != 1 || gone != 1 || messages != 2 {
		t.Errorf("%d mappings made, %d gone, %d packets; want 1, 1, 2 and nothing of the quiet variant", made, gone, messages)
	}
}

func TestTheLoopbackHasNoNAT(t *testing.T) {
	l, err := lab.New(info(), func(_ context.Context, _ struct{}, r *lab.Run) error {
		if _, err := r.NAT("router", netsim.NATConfig{}); !errors.Is(err, lab.ErrNoLink) {
			return fmt.Errorf("a NAT on the loopback: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "")
}
