package turnsrv_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"peerlab/turnsrv"
)

func TestConfigIsChecked(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, c := range map[string]struct {
		adjust func(*turnsrv.Config)
		want   error
	}{
		"good":              {func(*turnsrv.Config) {}, nil},
		"no secret":         {func(c *turnsrv.Config) { c.Secret = nil }, turnsrv.ErrSecret},
		"no relay IP":       {func(c *turnsrv.Config) { c.RelayIP = netip.Addr{} }, turnsrv.ErrRelayIP},
		"any relay IP":      {func(c *turnsrv.Config) { c.RelayIP = netip.IPv4Unspecified() }, turnsrv.ErrRelayIP},
		"multicast":         {func(c *turnsrv.Config) { c.RelayIP = netip.MustParseAddr("224.0.0.1") }, turnsrv.ErrRelayIP},
		"IPv6 relay IP":     {func(c *turnsrv.Config) { c.RelayIP = netip.MustParseAddr("2a00::1") }, turnsrv.ErrRelayIP},
		"IPv6 listen":       {func(c *turnsrv.Config) { c.RelayListen = netip.IPv6Unspecified() }, turnsrv.ErrRelayIP},
		"no ports":          {func(c *turnsrv.Config) { c.RelayPorts = turnsrv.PortRange{} }, turnsrv.ErrRelayPorts},
		"ports upside down": {func(c *turnsrv.Config) { c.RelayPorts = turnsrv.PortRange{Min: 2000, Max: 1999} }, turnsrv.ErrRelayPorts},
		"system ports":      {func(c *turnsrv.Config) { c.RelayPorts.Min = 80 }, turnsrv.ErrRelayPorts},
		"negative quota":    {func(c *turnsrv.Config) { c.Quota.Total = -1 }, turnsrv.ErrLimit},
		"negative rate":     {func(c *turnsrv.Config) { c.Rate.PerSecond = -0.5 }, turnsrv.ErrLimit},
		"negative TTL":      {func(c *turnsrv.Config) { c.CredentialTTL = -1 }, turnsrv.ErrLimit},
	} {
		cfg := turnsrv.Config{
			Secret: []byte("x"), RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: turnsrv.PortRange{Min: 2000, Max: 2009},
		}
		c.adjust(&cfg)
		if _, err := turnsrv.New(cfg, nil, []net.Listener{ln}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	cfg := turnsrv.Config{Secret: []byte("x"), RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: turnsrv.PortRange{Min: 2000, Max: 2009}}
	if _, err := turnsrv.New(cfg, nil, nil); !errors.Is(err, turnsrv.ErrNoListener) {
		t.Errorf("nothing to listen on: %v", err)
	}
	if _, err := turnsrv.New(cfg, []net.PacketConn{&net.UnixConn{}}, nil); !errors.Is(err, turnsrv.ErrNotUDP) {
		t.Errorf("a Unix socket: %v", err)
	}
}
