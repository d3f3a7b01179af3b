package nat_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/lab/labtest"
	"peerlab/nat"
	"peerlab/netsim"
)

func TestTheLifetimeOfAMappingIsMeasured(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for name, cfg := range map[string]netsim.NATConfig{
		"cone":      {Filtering: netsim.AddressAndPortDependent},
		"symmetric": {Mapping: netsim.AddressAndPortDependent, Filtering: netsim.AddressAndPortDependent, Ports: netsim.Random},
	} {
		all.Go(func() {
			labtest.Settles(t, func(t testing.TB) {
				const lifetime, precision = 1200 * time.Millisecond, 200 * time.Millisecond
				in := newInternet(t)
				cfg.Lifetime = lifetime
				waits := 0
				got, err := nat.MeasureLifetime(t.Context(), nat.LifetimeConfig{
					Open: opener(in.inside(&cfg)), Server: in.respond(in.servers[0]), Max: 2 * time.Second, Precision: precision,
					Progress: func(nat.Wait) { waits++ },
				})
				if err != nil || got.AtLeast > lifetime || got.Below < lifetime || got.Below-got.AtLeast > precision {
					t.Errorf("%s: %+v, %v: want %s", name, got, err, lifetime)
				}
				if waits < 8 {
					t.Errorf("heard of %d waits", waits)
				}
			})
		})
	}
}

func TestALongLifetimeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		in := newInternet(t)
		got, err := nat.MeasureLifetime(t.Context(), nat.LifetimeConfig{Open: opener(in.inside(&netsim.NATConfig{})), Server: in.respond(in.servers[0]), Max: 300 * time.Millisecond})
		if want := (nat.Lifetime{AtLeast: 300 * time.Millisecond}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestAMeasurementOfLifetimesIsCutShort(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		in := newInternet(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got, err := nat.MeasureLifetime(ctx, nat.LifetimeConfig{
			Open: opener(in.inside(&netsim.NATConfig{})), Server: in.respond(in.servers[0]), Max: time.Minute,
			Progress: func(nat.Wait) { cancel() },
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestALifetimeTakesAServerThatHelps(t *testing.T) {
	t.Parallel()
	deaf := func(request *stun.Message, from netip.AddrPort) []stun.Setter { // answers who asks, whatever is asked
		return []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())}}
	}
	forbids := func(request *stun.Message, from netip.AddrPort) []stun.Setter {
		if _, err := request.Get(stun.AttrResponsePort); err == nil {
			return []stun.Setter{stun.BindingError, stun.CodeForbidden}
		}
		return deaf(request, from)
	}
	in := newInternet(t)
	h := in.inside(nil)
	measure := func(server netip.AddrPort) error {
		_, err := nat.MeasureLifetime(t.Context(), nat.LifetimeConfig{Open: opener(h), Server: server, Max: time.Second})
		return err
	}
	if err := measure(in.plain(in.servers[0])); !errors.Is(err, nat.ErrNoResponsePort) {
		t.Errorf("a server that can't: %v", err)
	}
	if err := measure(in.answering(in.servers[1], deaf)); !errors.Is(err, nat.ErrUnheard) {
		t.Errorf("a server that answers elsewhere: %v", err)
	}
	other, err := in.net.Host("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := measure(in.answering(other, forbids)); err == nil || errors.Is(err, nat.ErrNoResponsePort) {
		t.Errorf("a server that will not: %v", err)
	}
}

// An OTHER-ADDRESS is not an order to send anywhere.
func TestAServerCantSendUsIntoAnotherNetwork(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"10.0.0.1:53", "127.0.0.1:3479", "224.0.0.1:3479", "0.0.0.0:3479", "203.0.113.9:3478", "203.0.113.9:53"} {
		in := newInternet(t)
		at := netip.MustParseAddrPort(other)
		server := in.answering(in.servers[0], func(_ *stun.Message, from netip.AddrPort) []stun.Setter {
			return []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())},
				&stun.OtherAddress{IP: at.Addr().AsSlice(), Port: int(at.Port())}}
		})
		found := in.discover(in.inside(nil), server)
		for _, test := range found.Tests {
			if test.Asked != server {
				t.Errorf("OTHER-ADDRESS %s had us ask %s", other, test.Asked)
			}
		}
		if found.Other.IsValid() {
			t.Errorf("believed OTHER-ADDRESS %s", other)
		}
	}
}
