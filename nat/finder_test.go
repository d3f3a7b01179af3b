package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestDiscoverOverRealSOAP(t *testing.T) {
	for _, service := range []string{"WANIPConnection:1", "WANIPConnection:2", "WANPPPConnection:1"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			gateways, err := startRouter(t, newRouter(), service).Discover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(gateways) != 1 {
				t.Fatalf("%d gateways, want 1 though five searches were answered", len(gateways))
			}
			got := gateways[0].GatewayInfo
			want := GatewayInfo{Name: "Test box", Model: "Nobody NAT 9", Service: service, Location: got.Location,
				Address: netip.MustParseAddr("127.0.0.1"), Local: netip.MustParseAddr("192.168.1.10"),
				External: netip.MustParseAddr("198.51.100.7"), Connected: true}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestFaultsComeThroughSOAP(t *testing.T) {
	t.Parallel()
	r := newRouter()
	r.onlyPermanent = true
	gateways, err := startRouter(t, r, "WANIPConnection:1").Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gw, m := gateways[0], Mapping{Protocol: TCP, InternalPort: 8080, Description: `Peerlab <&"> web`}
	if err := gw.add(t.Context(), m, 8080, 1200); faultCode(err) != codeOnlyPermanent || !strings.Contains(err.Error(), "only knows permanent mappings") {
		t.Errorf("add with a lease: %v", err)
	}
	if err := gw.add(t.Context(), m, 8080, 0); err != nil {
		t.Errorf("add: %v", err)
	}
	held, err := gw.lookup(t.Context(), TCP, 8080)
	if err != nil || held == nil || !held.pointsTo(gw.Local, 8080) {
		t.Fatalf("lookup: %+v, %v", held, err)
	}
	if held, err := gw.lookup(t.Context(), UDP, 8080); held != nil || err != nil {
		t.Errorf("lookup of a free port: %+v, %v", held, err)
	}
	if err := gw.remove(t.Context(), TCP, 8080); err != nil || r.has("TCP", 8080) != "" {
		t.Errorf("remove: %v; the router has %q", err, r.has("TCP", 8080))
	}
	if err := gw.remove(t.Context(), TCP, 8080); err != nil {
		t.Errorf("remove of what is gone: %v", err)
	}
}

// within fails a test whose f takes longer than limit, each of a few times: a
// busy machine may be late, but not always.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	const tries = 5
	for i := range tries {
		start := time.Now()
		f()
		took := time.Since(start)
		if took <= limit {
			return
		}
		t.Logf("try %d of %d took %v, want at most %v", i+1, tries, took, limit)
	}
	t.Errorf("took more than %v each time", limit)
}

func TestNoGatewayIsToldWithin3s(t *testing.T) {
	t.Parallel()
	finder := loopbackFinder(ssdpResponder(t, func(string) string { return "" }))
	within(t, 3*time.Second, func() {
		if _, err := finder.Discover(t.Context()); !errors.Is(err, ErrNoGateway) {
			t.Errorf("error %v, want ErrNoGateway", err)
		}
	})
}

func TestNoLinksIsNoGateway(t *testing.T) {
	finder := NewFinder(nil)
	finder.links = func() ([]link, error) { return nil, nil }
	if _, err := finder.Discover(t.Context()); !errors.Is(err, ErrNoGateway) {
		t.Errorf("error %v, want ErrNoGateway", err)
	}
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	finder := loopbackFinder(ssdpResponder(t, func(string) string {
		select {
		case asked <- struct{}{}:
		default: // enough of them
		}
		return ""
	}))
	within(t, time.Second, func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { <-asked; cancel() }()
		if _, err := finder.Discover(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}

// TestStallingDescription is a host that answers and then says nothing, beside a real router.
func TestStallingDescription(t *testing.T) {
	t.Parallel()
	stall := make(chan struct{})
	staller := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-stall:
		case <-req.Context().Done():
		}
	}))
	defer staller.Close()
	defer close(stall)

	t.Run("alone", func(t *testing.T) {
		finder := loopbackFinder(ssdpResponder(t, func(st string) string { return ssdpAnswer(st, staller.URL) }))
		within(t, 3500*time.Millisecond, func() {
			if _, err := finder.Discover(t.Context()); !errors.Is(err, ErrNoGateway) {
				t.Errorf("error %v, want ErrNoGateway", err)
			}
		})
	})
	t.Run("beside a router", func(t *testing.T) {
		good := httptest.NewServer(nil)
		defer good.Close()
		mux := http.NewServeMux()
		mux.HandleFunc("/desc.xml", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, testDescription, "", "WANIPConnection:1", "/ctl")
		})
		mux.Handle("/ctl", soapHandler(newRouter(), "WANIPConnection:1"))
		good.Config.Handler = mux
		var n atomic.Int32
		finder := loopbackFinder(ssdpResponder(t, func(st string) string {
			if n.Add(1) == 1 {
				return ssdpAnswer(st, staller.URL)
			}
			return ssdpAnswer(st, good.URL+"/desc.xml")
		}))
		within(t, 2*time.Second, func() {
			if gateways, err := finder.Discover(t.Context()); err != nil || len(gateways) != 1 {
				t.Errorf("%d gateways, %v; want the router", len(gateways), err)
			}
		})
	})
}

// TestNothingElseIsAsked checks that no answer or description makes us ask
// another address than the one that answered.
func TestNothingElseIsAsked(t *testing.T) {
	var hits atomic.Int32
	elsewhereListener, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := &httptest.Server{Listener: elsewhereListener, Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			fmt.Fprintf(w, testDescription, "", "WANIPConnection:1", "/ctl")
		})}}
	elsewhere.Start()
	defer elsewhere.Close()

	home := http.NewServeMux()
	server := httptest.NewServer(home)
	defer server.Close()
	home.HandleFunc("/redirect", func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusFound)
	})
	home.HandleFunc("/base", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, "<URLBase>"+elsewhere.URL+"</URLBase>", "WANIPConnection:1", "/ctl")
	})
	home.HandleFunc("/control", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, "", "WANIPConnection:1", elsewhere.URL+"/ctl")
	})
	home.HandleFunc("/soap-redirect", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, "", "WANIPConnection:1", "/redirect")
	})
	home.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, strings.Repeat(" ", maxDescription), "WANIPConnection:1", "/ctl")
	})
	home.HandleFunc("/huge-soap", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, "", "WANIPConnection:1", "/huge-answer")
	})
	home.HandleFunc("/huge-answer", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a>`, strings.Repeat("x", maxSOAPAnswer), `</a></s:Body></s:Envelope>`)
	})

	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, test := range []struct {
		location string
		want     string
	}{
		{elsewhere.URL, "location is not the address that answered"},
		{"http://localhost:" + port + "/base", "location is not the address that answered"},
		{server.URL + "/redirect", "redirect refused"},
		{server.URL + "/base", "URLBase of the description: location is not"},
		{server.URL + "/control", "control URL: location is not"},
		{server.URL + "/soap-redirect", "redirect refused"},
		{server.URL + "/huge", "answer is too large"},
		{server.URL + "/huge-soap", "answer is too large"},
		{server.URL + "/none", "status 404"},
	} {
		host := netip.MustParseAddr("127.0.0.1")
		location, err := readAnswer([]byte(ssdpAnswer(searchTargets[1], test.location)), host, true)
		if err == nil {
			_, err = gatewaysOf(t.Context(), candidate{responder: host, location: location, dial: dialFrom(netip.Addr{})}, nil)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.location, err, test.want)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
}

func TestSpoofedLocationEndToEnd(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	locations := []string{"http://localhost:" + port, "http://127.0.0.1.:" + port, "http://[::ffff:127.0.0.1]:" + port,
		"https://127.0.0.1:" + port, "http://u:p@127.0.0.1:" + port, "http://169.254.169.254/latest", "file:///etc/passwd", "http:127.0.0.1:" + port}
	for _, l := range append(locations, "", "http://", "http://127.0.0.1:"+port+"/"+strings.Repeat("x", maxLocation)) {
		_, err := readAnswer([]byte(ssdpAnswer(searchTargets[0], l)), netip.MustParseAddr("127.0.0.1"), true)
		if !errors.Is(err, ErrUntrustedLocation) {
			t.Errorf("%q: error %v, want ErrUntrustedLocation", l, err)
		}
	}
	var n atomic.Int32
	finder := loopbackFinder(ssdpResponder(t, func(st string) string {
		return ssdpAnswer(st, locations[int(n.Add(1))%len(locations)])
	}))
	if _, err := finder.Discover(t.Context()); !errors.Is(err, ErrNoGateway) {
		t.Errorf("error %v, want ErrNoGateway", err)
	}
	if hits.Load() != 0 {
		t.Errorf("the server was asked %d times", hits.Load())
	}
}

func TestOnlyPrivateNeighboursAreTrusted(t *testing.T) {
	l := newLink(net.Interface{Name: "eth0"}, []netip.Prefix{
		netip.MustParsePrefix("192.168.1.10/24"), netip.MustParsePrefix("10.0.0.7/30"), netip.MustParsePrefix("25.0.0.2/24"),
	}, netip.AddrPort{})
	for neighbour, want := range map[string]string{
		"192.168.1.1": "192.168.1.10", "10.0.0.5": "10.0.0.7", "192.168.1.10": "", "192.168.2.1": "", "10.0.0.1": "",
		"127.0.0.1": "", "203.0.113.1": "", "25.0.0.1": "", "::1": "",
	} {
		got := l.local(netip.MustParseAddr(neighbour))
		if (want == "") == got.IsValid() || (want != "" && got.String() != want) {
			t.Errorf("local(%s) = %v, want %q", neighbour, got, want)
		}
	}
}

func TestLinksCanBeListenedOn(t *testing.T) {
	found, err := links(netip.MustParseAddrPort("239.255.255.250:1900"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range found {
		conn, err := l.listen()
		if err != nil {
			t.Errorf("listen on %s: %v", l.name, err)
			continue
		}
		conn.Close()
	}
}

func TestGatewayClientDialsOneHost(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	client := gatewayClient(netip.MustParseAddr("192.168.1.1"), nil, maxDescription)
	if _, err := client.Get(server.URL); !errors.Is(err, ErrUntrustedLocation) || hits.Load() != 0 {
		t.Errorf("error %v after %d requests, want ErrUntrustedLocation", err, hits.Load())
	}
}

func TestAnObserverHearsEveryMessage(t *testing.T) {
	t.Parallel()
	finder := startRouter(t, newRouter(), "WANIPConnection:1")
	var mu sync.Mutex
	heard := make(map[string]Message)
	finder.see = func(m Message) {
		mu.Lock()
		defer mu.Unlock()
		heard[fmt.Sprint(m.Protocol, " ", m.Answer, " ", m.Name)] = m
	}
	gateways, err := finder.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gw, m := gateways[0], Mapping{Protocol: TCP, InternalPort: 8080, Description: "Peerlab"}
	if err := gw.Map(t.Context(), m, 90*time.Second); err != nil {
		t.Fatal(err)
	}
	other := *gw
	other.Local = netip.MustParseAddr("192.168.1.11")
	if err := other.Map(t.Context(), m, 0); faultCode(err) != codeConflict {
		t.Errorf("somebody else's port: %v", err)
	}
	entry, err := gw.Lookup(t.Context(), TCP, 8080)
	if err != nil || entry == nil || entry.Client != testLocal.String() || entry.Port != 8080 || entry.Lease <= 0 || entry.Lease > 90*time.Second {
		t.Errorf("entry %+v, %v", entry, err)
	}
	if now, err := gw.Condition(t.Context()); err != nil || now.External != gw.External || now.Uptime < time.Hour {
		t.Errorf("condition %+v, %v", now, err)
	}
	if err := gw.Unmap(t.Context(), TCP, 8080); err != nil {
		t.Error(err)
	}
	if entry, err := gw.Lookup(t.Context(), TCP, 8080); entry != nil || err != nil {
		t.Errorf("after the removal: %+v, %v", entry, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"SSDP false M-SEARCH", "SSDP true 200 OK", "HTTP false GET /desc.xml", "HTTP true 200 OK", "SOAP false GetExternalIPAddress",
		"SOAP false AddPortMapping", "SOAP true 200 OK", "SOAP true 500, UPnP error 718", "SOAP true 500, UPnP error 714", "SOAP false DeletePortMapping"} {
		if _, ok := heard[want]; !ok {
			t.Errorf("not heard: %s", want)
		}
	}
	if args := fmt.Sprint(heard["SOAP false AddPortMapping"].Args); !strings.Contains(args, "{NewInternalClient 192.168.1.11}") || !strings.Contains(args, "{NewLeaseDuration 0}") {
		t.Errorf("arguments: %s", args)
	}
	if m := heard["SOAP true 500, UPnP error 718"]; m.Code != 718 || !strings.Contains(fmt.Sprint(m.Args), "taken") {
		t.Errorf("the refusal: %+v", m)
	}
}
