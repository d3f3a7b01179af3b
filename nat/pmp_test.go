package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"peerlab/need"
)

// pmpRouter answers to NAT-PMP at an address: the library knows one port only,
// so each test has an address of its own.
func pmpRouter(t *testing.T, at string, answer func(PMPRequest) []byte) netip.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp4", net.JoinHostPort(at, "5351"))
	if err != nil {
		need.Missing(t, fmt.Sprintf("this machine does not let us be a router at %s: %v", at, err))
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			r, err := ParsePMPRequest(buf[:n])
			if err != nil {
				t.Error(err)
				continue
			}
			if b := answer(r); b != nil {
				conn.WriteTo(b, from)
			}
		}
	}()
	return netip.MustParseAddr(at)
}

// hostNetwork is this host's own, as a network that is given.
type hostNetwork struct{ net.Dialer }

func (hostNetwork) ListenPacket(_, address string) (net.PacketConn, error) {
	return net.ListenPacket("udp4", address)
}

// Our own exchange and go-nat-pmp, which nobody here wrote, understand the same router alike.
func TestPMPByTheLibraryAndByOurselves(t *testing.T) {
	for name, network := range map[string]Network{"library": nil, "ours": &hostNetwork{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan PMPRequest, 10)
			at := map[string]string{"library": "127.53.51.1", "ours": "127.53.51.2"}[name]
			router := pmpRouter(t, at, func(r PMPRequest) []byte {
				requests <- r
				a := PMPAnswer{Opcode: r.Opcode, Epoch: 77, Address: netip.MustParseAddr("198.51.100.7"), Internal: r.Internal, External: 40001, Lifetime: r.Lifetime / 2}
				if r.Lifetime == 0 {
					a.External = 0
				}
				if r.External == 1 {
					a = PMPAnswer{Opcode: r.Opcode, Result: PMPNotAuthorized, Epoch: 77, Internal: r.Internal}
				}
				return a.Append(nil)
			})
			var seen []string
			p, err := NewPMP(PMPConfig{Gateway: router, Network: network, Observer: func(m Message) { seen = append(seen, m.Name) }})
			if err != nil {
				t.Fatal(err)
			}
			now, err := p.Condition(t.Context())
			if want := (Condition{netip.MustParseAddr("198.51.100.7"), 77 * time.Second}); err != nil || now != want {
				t.Errorf("condition %+v, %v", now, err)
			}
			granted, err := p.Map(t.Context(), UDP, 5000, 6000, time.Minute)
			if want := (Granted{40001, 30 * time.Second, 77 * time.Second}); err != nil || granted != want {
				t.Errorf("granted %+v, %v", granted, err)
			}
			if _, err := p.Map(t.Context(), TCP, 5000, 1, time.Minute); !errors.Is(err, PMPNotAuthorized) {
				t.Errorf("a port that is not allowed: %v", err)
			}
			if err := p.Unmap(t.Context(), TCP, 5000); err != nil {
				t.Error(err)
			}
			want := []PMPRequest{{}, {Opcode: PMPMapUDP, Internal: 5000, External: 6000, Lifetime: 60}, {Opcode: PMPMapTCP, Internal: 5000, External: 1, Lifetime: 60}, {Opcode: PMPMapTCP, Internal: 5000}}
			for i := range want {
				if got := <-requests; got != want[i] {
					t.Errorf("request %d is %+v, want %+v", i, got, want[i])
				}
			}
			if told := strings.Join(seen, ", "); told != "external address?, success, map UDP, success, map TCP, result 2, unmap TCP, success" {
				t.Errorf("the observer heard: %s", told)
			}
		})
	}
}

func TestPMPSilence(t *testing.T) {
	for name, network := range map[string]Network{"library": nil, "ours": &hostNetwork{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := map[string]string{"library": "127.53.51.3", "ours": "127.53.51.4"}[name]
			router := pmpRouter(t, at, func(PMPRequest) []byte { return nil })
			p, err := NewPMP(PMPConfig{Gateway: router, Network: network})
			if err != nil {
				t.Fatal(err)
			}
			within(t, 3*time.Second, func() {
				ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
				defer cancel()
				if _, err := p.Condition(ctx); !errors.Is(err, ErrNoPMPAnswer) {
					t.Errorf("error %v, want ErrNoPMPAnswer", err)
				}
			})
		})
	}
}

func TestPMPRefusesWhatIsNoRouterOrLease(t *testing.T) {
	for _, bad := range []string{"::1", "0.0.0.0", "224.0.0.1"} {
		if _, err := NewPMP(PMPConfig{Gateway: netip.MustParseAddr(bad), Network: &hostNetwork{}}); err == nil {
			t.Errorf("%s is taken for a router", bad)
		}
	}
	p := &PMP{}
	for _, lease := range []time.Duration{0, time.Second - 1, MaxLease + 1} {
		if _, err := p.Map(t.Context(), TCP, 1, 1, lease); err == nil {
			t.Errorf("a lease of %v is asked for", lease)
		}
	}
}

func TestRoutesOfLinux(t *testing.T) {
	const table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
		"eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
		"tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\nx\t00000000\tzz\n"
	if got := readRoutes(strings.NewReader(table)); len(got) != 1 || got[0] != netip.MustParseAddr("192.168.1.1") {
		t.Errorf("default routers %v", got) // on a little-endian machine, where such tables are written so
	}
}
