package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	testLocal = netip.MustParseAddr("192.168.1.10")
	web       = Mapping{Protocol: TCP, InternalPort: 8080, Description: "Peerlab web"}
	turnUDP   = Mapping{Protocol: UDP, InternalPort: 3478, Description: "Peerlab TURN"}
)

// fakeFinder hands out what it is given, afresh at every search as a Finder does.
type fakeFinder struct {
	mu       sync.Mutex
	routers  []*router
	local    netip.Addr
	searches int
}

func finds(routers ...*router) *fakeFinder { return &fakeFinder{routers: routers, local: testLocal} }

func (f *fakeFinder) Discover(ctx context.Context) ([]*Gateway, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.searches++
	var gateways []*Gateway
	for i, r := range f.routers {
		gateways = append(gateways, &Gateway{GatewayInfo: GatewayInfo{Name: fmt.Sprint("router ", i),
			Local: f.local, External: parseExternal(r.external), Connected: true}, conn: r})
	}
	if gateways == nil {
		return nil, ErrNoGateway
	}
	return gateways, nil
}

func (f *fakeFinder) set(routers ...*router) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routers = routers
}

func (f *fakeFinder) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.searches
}

// startMapper runs an enabled Mapper in a synctest bubble; end stops it and waits.
func startMapper(t *testing.T, finder Discoverer, list ...Mapping) (m *Mapper, end func()) {
	t.Helper()
	m, err := NewMapper(MapperConfig{Mappings: list, Discoverer: finder, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	synctest.Wait()
	return m, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if s := m.Status(); s.State != StateOff {
			t.Errorf("state %q after Run, want off", s.State)
		}
	}
}

// pass lets d go by in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func wantState(t *testing.T, m *Mapper, state State) Status {
	t.Helper()
	s := m.Status()
	if s.State != state {
		t.Fatalf("state %q (%s), want %q", s.State, s.Reason, state)
	}
	return s
}

func TestMapsRenewsAndRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		m, end := startMapper(t, finds(r), web, turnUDP)
		s := wantState(t, m, StateMapped)
		if s.Gateway == nil || s.Gateway.External.String() != "198.51.100.7" {
			t.Errorf("gateway %+v", s.Gateway)
		}
		got := s.Mappings[0]
		if !got.Mapped || got.External != 8080 || got.Internal.String() != "192.168.1.10:8080" || !got.Expires.Equal(time.Now().Add(20*time.Minute)) {
			t.Errorf("mapping %+v", got)
		}
		for range 240 { // two hours, looked at twice a minute: never a gap
			pass(30 * time.Second)
			if r.has("TCP", 8080) != "192.168.1.10:8080" || r.has("UDP", 3478) != "192.168.1.10:3478" {
				t.Fatalf("a mapping lapsed: %+v", m.Status())
			}
		}
		if n := len(r.granted()); n != 2+2*12 {
			t.Errorf("%d AddPortMapping in two hours, want one for each mapping and half-life: 26", n)
		}
		end()
		if r.has("TCP", 8080) != "" || r.has("UDP", 3478) != "" {
			t.Error("a mapping is left after Run")
		}
	})
}

func TestConflictTakesAnotherPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.table["TCP 8080"] = held{client: "192.168.1.99", port: 80, text: "someone"}
		exact := turnUDP
		exact.Exact = true
		r.table["UDP 3478"] = held{client: "192.168.1.10", port: 9999, text: "another program of this host"}
		m, end := startMapper(t, finds(r), web, exact)
		s := wantState(t, m, StateMapped)
		if got := s.Mappings[0]; !got.Mapped || got.External < firstDynamicPort || r.has("TCP", got.External) != "192.168.1.10:8080" {
			t.Errorf("mapping %+v", got)
		}
		if got := s.Mappings[1]; got.Mapped || !strings.Contains(got.Error, "another has it") {
			t.Errorf("exact mapping %+v", got)
		}
		pass(time.Hour)
		if got := m.Status().Mappings[0]; got.External != s.Mappings[0].External {
			t.Errorf("renewed as %d, was %d", got.External, s.Mappings[0].External)
		}
		end()
		if r.has("TCP", 8080) != "192.168.1.99:80" || r.has("UDP", 3478) != "192.168.1.10:9999" || len(r.table) != 2 {
			t.Errorf("table after Run: %v", r.table)
		}
	})
}

// TestRefusedPortTakesAnother is a router that refuses low ports and says so with 606.
func TestRefusedPortTakesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.forbidBelow = 1024
		low := Mapping{Protocol: TCP, InternalPort: 8443, ExternalPort: 443, Description: "Peerlab https"}
		m, end := startMapper(t, finds(r), low)
		if got := wantState(t, m, StateMapped).Mappings[0]; got.External != 8443 {
			t.Errorf("external %d, want the internal one", got.External)
		}
		end()
	})
}

func TestOnlyPermanentLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.onlyPermanent = true
		m, end := startMapper(t, finds(r), web)
		got := wantState(t, m, StateMapped).Mappings[0]
		if !got.Permanent || !got.Expires.IsZero() || r.granted()[0] != "TCP 8080 0s" {
			t.Errorf("mapping %+v, granted %v", got, r.granted())
		}
		pass(time.Hour)
		wantState(t, m, StateMapped)
		end()
		if r.has("TCP", 8080) != "" {
			t.Error("a permanent mapping is left after Run")
		}
	})
}

func TestNoGatewayIsSearchedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finder := finds()
		m, end := startMapper(t, finder, web)
		s := wantState(t, m, StateNoGateway)
		if !strings.Contains(s.Reason, "UPnP") || len(s.Mappings) != 1 || s.Mappings[0].Mapped {
			t.Errorf("status %+v", s)
		}
		finder.set(newRouter())
		pass(time.Minute + time.Second)
		wantState(t, m, StateMapped)
		if n := finder.count(); n != 2 {
			t.Errorf("%d searches, want 2", n)
		}
		end()
	})
}

func TestToggle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		m, end := startMapper(t, finds(r), web)
		for range 3 {
			m.Disable()
			synctest.Wait()
			wantState(t, m, StateOff)
			if r.has("TCP", 8080) != "" {
				t.Fatal("mapped while disabled")
			}
			m.Enable()
			synctest.Wait()
			wantState(t, m, StateMapped)
		}
		m.Disable()
		m.Enable()
		m.Enable()
		synctest.Wait()
		wantState(t, m, StateMapped)
		if err := m.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run: %v, want ErrRunning", err)
		}
		m.Disable()
		end()
		if len(r.table) != 0 {
			t.Errorf("table after Run: %v", r.table)
		}
	})
}

func TestSecondRouterIsTriedIfTheFirstRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no, yes := newRouter(), newRouter()
		no.forbidBelow = 65535
		m, end := startMapper(t, finds(no, yes), web)
		if got := wantState(t, m, StateMapped).Gateway.Name; got != "router 1" {
			t.Errorf("mapped in %q", got)
		}
		end()
	})
}

func TestEverythingRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := newRouter()
		no.forbidBelow, no.external = 65535, ""
		m, end := startMapper(t, finds(no), web)
		if got := wantState(t, m, StateFailed).Reason; !strings.Contains(got, "it does not allow this") || !strings.Contains(got, "port 8080") || !strings.Contains(got, "says no outside address") {
			t.Errorf("reason %q", got)
		}
		end()
	})
}

func TestLoopbackIsNeverMapped(t *testing.T) {
	for _, local := range []string{"127.0.0.1", "0.0.0.0", "::1", "224.0.0.1", "255.255.255.255"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRouter()
			finder := finds(r)
			finder.local = netip.MustParseAddr(local)
			m, end := startMapper(t, finder, web)
			if got := wantState(t, m, StateFailed).Reason; !strings.Contains(got, ErrInternalClient.Error()) {
				t.Errorf("reason %q", got)
			}
			end()
			if len(r.granted()) != 0 {
				t.Errorf("%s was mapped: %v", local, r.granted())
			}
		})
	}
}

func TestMapperOverRealSOAP(t *testing.T) {
	t.Parallel()
	r := newRouter()
	r.table["TCP 8080"] = held{client: "192.168.1.99", port: 80}
	m, err := NewMapper(MapperConfig{Mappings: []Mapping{web, turnUDP}, Discoverer: startRouter(t, r, "WANIPConnection:2"), Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for r.has("UDP", 3478) == "" && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	for m.Status().State != StateMapped && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	s := wantState(t, m, StateMapped)
	if got := r.has("TCP", s.Mappings[0].External); got != "192.168.1.10:8080" {
		t.Errorf("external %d goes to %q", s.Mappings[0].External, got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if len(r.table) != 1 {
		t.Errorf("table after Run: %v", r.table)
	}
}

func TestMapperConfigIsChecked(t *testing.T) {
	many := make([]Mapping, MaxMappings+1)
	for _, test := range []struct {
		name   string
		change func(*MapperConfig)
		want   string
	}{
		{"no mappings", func(c *MapperConfig) { c.Mappings = nil }, "0 mappings"},
		{"too many", func(c *MapperConfig) { c.Mappings = many }, "65 mappings"},
		{"no discoverer", func(c *MapperConfig) { c.Discoverer = nil }, "no Discoverer"},
		{"short lease", func(c *MapperConfig) { c.Lease = time.Second }, "lease 1s"},
		{"long lease", func(c *MapperConfig) { c.Lease = 1000 * time.Hour }, "lease 1000h"},
		{"short watch", func(c *MapperConfig) { c.Watch = time.Millisecond }, "watch interval"},
		{"protocol", func(c *MapperConfig) { c.Mappings[0].Protocol = "SCTP" }, `mapping 0: protocol "SCTP"`},
		{"port", func(c *MapperConfig) { c.Mappings[0].InternalPort = 0 }, "internal port is 0"},
		{"no text", func(c *MapperConfig) { c.Mappings[0].Description = "" }, "description has 0 bytes"},
		{"long text", func(c *MapperConfig) { c.Mappings[0].Description = strings.Repeat("x", 65) }, "description has 65 bytes"},
		{"strange text", func(c *MapperConfig) { c.Mappings[0].Description = "a\nb" }, "not printable ASCII"},
		{"twice", func(c *MapperConfig) {
			c.Mappings = []Mapping{web, {Protocol: TCP, InternalPort: 1, ExternalPort: 8080, Description: "x"}}
		}, "mapping 1: external TCP port 8080 is wanted twice"},
	} {
		cfg := MapperConfig{Mappings: []Mapping{web}, Discoverer: finds()}
		test.change(&cfg)
		if _, err := NewMapper(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestRelayMappings(t *testing.T) {
	list, err := RelayMappings(50000, 50002, 10)
	if err != nil || len(list) != 3 || list[2].InternalPort != 50002 || list[2].ExternalPort != 50002 || !list[2].Exact {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := validateMappings(list); err != nil {
		t.Error(err)
	}
	if list, err := RelayMappings(65535, 65535, 64); err != nil || len(list) != 1 {
		t.Errorf("last port: %+v, %v", list, err)
	}
	for _, bad := range [][3]int{{0, 10, 1}, {20, 10, 1}, {1, 10, 65}, {1, 10, -1}} {
		if _, err := RelayMappings(uint16(bad[0]), uint16(bad[1]), bad[2]); err == nil {
			t.Errorf("RelayMappings%v is accepted", bad)
		}
	}
}
