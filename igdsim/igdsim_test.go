package igdsim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"peerlab/igdsim"
	"peerlab/leaks"
	"peerlab/nat"
	"peerlab/netsim"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// home is an emulated home with a router that is asked, and a host outside.
type home struct {
	router          *igdsim.Router
	nat             *netsim.NAT
	gate            *netsim.Host
	laptop, console *netsim.Host
	outside         *netsim.Host
	changes         chan igdsim.Change
}

func newHome(t *testing.T, change func(*igdsim.Config)) *home {
	t.Helper()
	n, err := netsim.New(netsim.Config{Prefix: netip.MustParsePrefix("203.0.113.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	h := &home{changes: make(chan igdsim.Change, 100)}
	h.nat = must(n.NAT("router", netsim.NATConfig{Filtering: netsim.AddressAndPortDependent}))(t)
	h.gate = must(h.nat.Router())(t)
	if err := h.gate.Join(igdsim.Group); err != nil {
		t.Fatal(err)
	}
	h.laptop, h.console = must(h.nat.Host("laptop"))(t), must(h.nat.Host("console"))(t)
	h.outside = must(n.Host("outside"))(t)
	cfg := igdsim.Config{Name: "Simulated <router>", Host: h.gate, NAT: h.nat, OnChange: func(c igdsim.Change) { h.changes <- c }}
	if change != nil {
		change(&cfg)
	}
	h.router = must(igdsim.New(cfg))(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.router.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		n.Close()
	})
	return h
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (h *home) finder(of *netsim.Host) *nat.Finder {
	return nat.NewFinderOn(nat.FinderConfig{Network: of, Local: netip.PrefixFrom(of.Addr(), 24)})
}

func (h *home) gateway(t *testing.T, of *netsim.Host) *nat.Gateway {
	t.Helper()
	gateways, err := h.finder(of).Discover(t.Context())
	if err != nil || len(gateways) != 1 {
		t.Fatalf("%d gateways, %v", len(gateways), err)
	}
	return gateways[0]
}

func (h *home) pmp(t *testing.T, of *netsim.Host) *nat.PMP {
	t.Helper()
	return must(nat.NewPMP(nat.PMPConfig{Gateway: h.nat.Gateway(), Local: of.Addr(), Network: of}))(t)
}

// serve answers on a port of the laptop with its name.
func (h *home) serve(t *testing.T, port string) {
	t.Helper()
	l := must(h.laptop.Listen("tcp", ":"+port))(t)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "laptop")
			c.Close()
		}
	}()
}

// How long to wait for an answer that should come, and for one that should not.
const patience, silence = 20 * time.Second, 300 * time.Millisecond

// reach tells what is heard from outside at a port of the router.
func (h *home) reach(t *testing.T, port uint16, wait time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	c, err := h.outside.DialContext(ctx, "tcp", netip.AddrPortFrom(h.nat.External(), port).String())
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	b, _ := io.ReadAll(c)
	return string(b)
}

func (h *home) gone(t *testing.T, why string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case c := <-h.changes:
			if c.Gone {
				if c.Why != why {
					t.Errorf("gone: %s, want %s", c.Why, why)
				}
				return
			}
		case <-late:
			t.Fatalf("nothing is gone: %s", why)
		}
	}
}

var web = nat.Mapping{Protocol: nat.TCP, InternalPort: 8080, ExternalPort: 9090, Description: `Peerlab <&"> web`}

func TestAMappedPortIsReachedFromOutside(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	h.serve(t, "8080")
	gw := h.gateway(t, h.laptop)
	if gw.Name != "Simulated <router>" || gw.Service != "WANIPConnection:1" || gw.External != h.nat.External() || gw.Local != h.laptop.Addr() || !gw.Connected {
		t.Errorf("gateway %+v", gw.GatewayInfo)
	}
	if heard := h.reach(t, 9090, silence); heard != "" {
		t.Errorf("before: %q", heard)
	}
	if err := gw.Map(t.Context(), web, time.Minute); err != nil {
		t.Fatal(err)
	}
	if heard := h.reach(t, 9090, patience); heard != "laptop" {
		t.Errorf("mapped: %q", heard)
	}
	e, err := gw.Lookup(t.Context(), nat.TCP, 9090)
	if err != nil || e == nil || e.Client != h.laptop.Addr().String() || e.Port != 8080 || e.Description != web.Description || e.Lease <= 0 || e.Lease > time.Minute {
		t.Errorf("entry %+v, %v", e, err)
	}
	if err := gw.Unmap(t.Context(), nat.TCP, 9090); err != nil {
		t.Error(err)
	}
	if heard := h.reach(t, 9090, silence); heard != "" {
		t.Errorf("after: %q", heard)
	}
	h.gone(t, "removed")
}

func TestTheSameByPMP(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	h.serve(t, "8080")
	p := h.pmp(t, h.laptop)
	now, err := p.Condition(t.Context())
	if err != nil || now.External != h.nat.External() {
		t.Errorf("condition %+v, %v", now, err)
	}
	for range 2 { // the second time renews it, at the port that it has
		g, err := p.Map(t.Context(), nat.TCP, 8080, 9090, time.Hour)
		if err != nil || g.External != 9090 || g.Lease != time.Hour {
			t.Fatalf("granted %+v, %v", g, err)
		}
	}
	if heard := h.reach(t, 9090, patience); heard != "laptop" {
		t.Errorf("mapped: %q", heard)
	}
	// Somebody else gets another port, for no longer than the router likes.
	g, err := h.pmp(t, h.console).Map(t.Context(), nat.TCP, 8080, 9090, nat.MaxLease)
	if err != nil || g.External != 9091 || g.Lease != 2*time.Hour {
		t.Errorf("the console is granted %+v, %v", g, err)
	}
	if err := p.Unmap(t.Context(), nat.TCP, 8080); err != nil {
		t.Error(err)
	}
	if heard := h.reach(t, 9090, silence); heard != "" {
		t.Errorf("after: %q", heard)
	}
	if all := h.router.Table(); len(all) != 1 || all[0].To.Addr() != h.console.Addr() {
		t.Errorf("the table is %+v", all)
	}
}

func TestALeaseEndsByItself(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	gw := h.gateway(t, h.laptop)
	for _, m := range []nat.Mapping{web, {Protocol: nat.UDP, InternalPort: 5000, Description: "longer"}} {
		if err := gw.Map(t.Context(), m, time.Duration(m.InternalPort/5000)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := gw.Map(t.Context(), web, time.Second); err != nil { // renewed, for less
		t.Fatal(err)
	}
	h.gone(t, "lease over")
	if all := h.router.Table(); len(all) != 1 || all[0].External != 5000 {
		t.Errorf("the table is %+v", all)
	}
	h.router.Restart()
	h.gone(t, "router restarted")
	if now, err := gw.Condition(t.Context()); err != nil || now.Uptime > 10*time.Second || len(h.router.Table()) != 0 {
		t.Errorf("after the restart: %+v, %v", now, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHome(t, func(c *igdsim.Config) { c.OnlyPermanent = true })
	mine, other := h.gateway(t, h.laptop), h.gateway(t, h.console)
	code := func(err error) int {
		if f, ok := errors.AsType[*nat.Fault](err); ok {
			return f.Code
		}
		return 0
	}
	if err := mine.Map(t.Context(), web, time.Minute); code(err) != 725 {
		t.Errorf("a lease: %v", err)
	}
	if err := mine.Map(t.Context(), web, 0); err != nil {
		t.Error(err)
	}
	if err := other.Map(t.Context(), web, 0); code(err) != 718 {
		t.Errorf("somebody else's port: %v", err)
	}
	if err := other.Unmap(t.Context(), nat.TCP, 9090); code(err) != 606 {
		t.Errorf("the removal of somebody else's mapping: %v", err)
	}
	forged := *other
	forged.Local = h.laptop.Addr()
	if err := forged.Map(t.Context(), nat.Mapping{Protocol: nat.TCP, InternalPort: 22, Description: "yours"}, 0); code(err) != 606 {
		t.Errorf("a mapping for somebody else: %v", err)
	}
	for port := uint16(1); port < 64; port++ {
		if err := other.Map(t.Context(), nat.Mapping{Protocol: nat.UDP, InternalPort: port, Description: "greedy"}, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Map(t.Context(), nat.Mapping{Protocol: nat.UDP, InternalPort: 64, Description: "greedy"}, 0); code(err) != 728 {
		t.Errorf("one more than fit: %v", err)
	}
	if _, err := h.pmp(t, h.console).Map(t.Context(), nat.TCP, 99, 99, time.Minute); !errors.Is(err, nat.PMPOutOfResources) {
		t.Errorf("one more than fit, by NAT-PMP: %v", err)
	}
}

// The Mapper, which keeps the server's own ports open, gets along with it.
func TestTheMapperHoldsAPort(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	h.serve(t, "8080")
	m := must(nat.NewMapper(nat.MapperConfig{Mappings: []nat.Mapping{web}, Discoverer: h.finder(h.laptop), Enabled: true}))(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	if c := <-h.changes; c.Text != web.Description || c.Lease != 20*time.Minute {
		t.Errorf("it maps %+v", c)
	}
	if heard := h.reach(t, 9090, patience); heard != "laptop" {
		t.Errorf("mapped: %q", heard)
	}
	stop()
	h.gone(t, "removed")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// ask posts a call by hand, as one does with curl.
func (h *home) ask(t *testing.T, action, body string) string {
	t.Helper()
	web, _, _ := h.router.Addresses()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+web.String()+"/control", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Soapaction", action)
	client := http.Client{Transport: &http.Transport{DialContext: h.laptop.DialContext, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(text))
}

func call(args string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:X xmlns:u="y">` + args + `</u:X></s:Body></s:Envelope>`
}

func TestCallsByHand(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	if err := h.gateway(t, h.laptop).Map(t.Context(), web, 0); err != nil {
		t.Fatal(err)
	}
	const service = "urn:schemas-upnp-org:service:WANIPConnection:1#"
	add := "<NewExternalPort>70</NewExternalPort><NewProtocol>UDP</NewProtocol><NewInternalPort>7</NewInternalPort><NewInternalClient>" + h.laptop.Addr().String() + "</NewInternalClient><NewLeaseDuration>9</NewLeaseDuration>"
	for _, c := range []struct{ action, body, want string }{
		{service + "GetGenericPortMappingEntry", call("<NewPortMappingIndex>0</NewPortMappingIndex>"), "200 *Peerlab &lt;&amp;"},
		{service + "GetGenericPortMappingEntry", call("<NewPortMappingIndex>1</NewPortMappingIndex>"), "500 *<errorCode>713<"},
		{service + "GetGenericPortMappingEntry", call("<NewPortMappingIndex>-1</NewPortMappingIndex>"), "500 *<errorCode>402<"},
		{service + "AddPortMapping", call(add), "200 *AddPortMappingResponse"},
		{service + "AddPortMapping", call(add + "<NewRemoteHost>192.0.2.1</NewRemoteHost>"), "500 *<errorCode>726<"},
		{service + "AddPortMapping", call(strings.Replace(add, ">70<", ">0<", 1)), "500 *<errorCode>716<"},
		{service + "AddPortMapping", call(strings.Replace(add, ">70<", ">65536<", 1)), "500 *<errorCode>402<"},
		{service + "AddPortMapping", call(strings.Replace(add, "UDP", "SCTP", 1)), "500 *<errorCode>402<"},
		{service + "GetSpecificPortMappingEntry", call(""), "500 *<errorCode>402<"},
		{service + "Reboot", call(""), "500 *<errorCode>401<"},
		{"urn:other#Reboot", call(""), "400 *SOAPACTION"},
		{service + "GetStatusInfo", "<a><b>", "400 *not a SOAP call"},
		{service + "GetStatusInfo", call("<A>" + strings.Repeat("a", 300) + "</A>"), "400 *too long"},
		{service + "GetStatusInfo", call("<A>" + strings.Repeat("<b>", 300)), "400 *too deep"},
		{service + "GetStatusInfo", call("<A>" + strings.Repeat("<!-- a -->", 3000)), "400 *too large"},
	} {
		got := h.ask(t, c.action, c.body)
		status, inside, _ := strings.Cut(c.want, "*")
		if !strings.HasPrefix(got, status) || !strings.Contains(got, inside) {
			t.Errorf("%s with %.200s: %.300s, want %s", c.action, c.body, got, c.want)
		}
	}
}

func TestOneHostileClientDoesNotSilenceTheRouter(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	_, ssdp, pmp := h.router.Addresses()
	pc := must(h.console.ListenPacket("udp", ":0"))(t)
	defer pc.Close()
	for _, junk := range []string{"", "\x00", "\x00\x80", strings.Repeat("\xff", 64), "M-SEARCH * HTTP/1.1\r\n", strings.Repeat("M", 3000)} {
		for _, to := range []net.Addr{ssdp, pmp} {
			at := to.(*net.UDPAddr)
			pc.WriteTo([]byte(junk), &net.UDPAddr{IP: h.nat.Gateway().AsSlice(), Port: at.Port})
		}
	}
	idle := must(h.console.DialContext(t.Context(), "tcp", netip.AddrPortFrom(h.nat.Gateway(), 5000).String()))(t)
	defer idle.Close()
	h.gateway(t, h.laptop)
	if _, err := h.pmp(t, h.laptop).Condition(t.Context()); err != nil {
		t.Error(err)
	}
}
