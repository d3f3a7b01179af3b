package peer

import (
	"context"
	"errors"
	"slices"
	"testing"

	"peerlab/signaling"
	"peerlab/signaling/envelope"
)

var coneNAT = envelope.NAT{Mapping: "endpoint-independent", Filtering: "address-and-port-dependent"}

// TestTheRoomIsToldOfANAT also to one who comes later, and who measures nothing.
func TestTheRoomIsToldOfANAT(t *testing.T) {
	servers := []string{"stun:192.0.2.1:3478", "stun:192.0.2.1:3479"}
	r := newRoom(t, signaling.Config{NATServers: func(string) []string { return servers }})
	finished := make(chan struct{})
	ann := r.join("ann", func(c *Config) {
		c.MeasureNAT = func(_ context.Context, asked []string) (envelope.NAT, error) {
			<-finished // the connection does not wait for it
			if !slices.Equal(asked, servers) {
				t.Errorf("asks %q", asked)
			}
			return coneNAT, nil
		}
	})
	ben := r.join("ben", func(c *Config) {
		c.MeasureNAT = func(context.Context, []string) (envelope.NAT, error) {
			return envelope.NAT{}, errors.New("nobody answers")
		}
	})
	ann.link()
	l := ben.link()
	close(finished)
	eventually(t, "ben hears of ann's NAT", func() bool { return l.NAT() == coneNAT })
	if ann.NAT() != coneNAT || ben.NAT() != (envelope.NAT{}) {
		t.Errorf("ann says of herself %+v, ben %+v", ann.NAT(), ben.NAT())
	}
	cleo := r.join("cleo", nil)
	for range 2 {
		if l := cleo.link(); l.Remote().Name == "ann" && l.NAT() != coneNAT {
			t.Errorf("cleo knows of ann's NAT %+v", l.NAT())
		}
	}
}

// TestLeavingEndsTheMeasurement that has not come to its end.
func TestLeavingEndsTheMeasurement(t *testing.T) {
	r := newRoom(t, signaling.Config{NATServers: func(string) []string { return []string{"stun:a", "stun:b"} }})
	begun := make(chan struct{})
	ann := r.join("ann", func(c *Config) {
		c.MeasureNAT = func(ctx context.Context, _ []string) (envelope.NAT, error) {
			close(begun)
			<-ctx.Done()
			return envelope.NAT{}, ctx.Err()
		}
	})
	ann.take(begun, "measuring")
	ann.stop()
}
