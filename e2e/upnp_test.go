package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
)

// mappedHome is a server behind a router that speaks UPnP, and a host out on the
// WAN. Another server on the WAN answers STUN.
type mappedHome struct {
	*server
	router  *netlab.Router
	inside  *netlab.Host
	outside *netlab.Host
}

// stunServer is a Peerlab on the WAN whose relay answers Binding requests.
func stunServer(t *testing.T, lab *netlab.Lab) string {
	t.Helper()
	return startServer(t, lab.WAN.Host("stun")).turn
}

func newMappedHome(t *testing.T, flags ...string) mappedHome {
	t.Helper()
	lab := netlab.New(t)
	router := lab.WAN.Router("router", netlab.Cone)
	router.UPnP()
	inside := router.LAN.Host("inside")
	flags = append(flags, "--stun-servers", stunServer(t, lab))
	return mappedHome{startServer(t, inside, flags...), router, inside, lab.WAN.Host("outside")}
}

// fromOutside is the server as the world sees it.
func (h mappedHome) fromOutside() *server {
	seen := *h.server
	seen.from = h.outside
	seen.base = fmt.Sprintf("http://%s:8080", h.router.Addr())
	return &seen
}

// mapped lists the router's own rules: what it forwards, and to where.
func (h mappedHome) mapped(t *testing.T) string {
	t.Helper()
	out, err := h.router.Command("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").CombinedOutput()
	if err != nil {
		t.Fatalf("list the router's rules: %v: %s", err, out)
	}
	return string(out)
}

// rules are what the router has to forward for a server on its usual ports.
func (h mappedHome) rules() []string {
	to := " dnat ip to " + h.inside.Addr().String() + ":"
	// 6 is TCP, 17 UDP.
	return []string{"0x6 th dport 8080" + to + "8080", "0x6 th dport 3478" + to + "3478", "0x11 th dport 3478" + to + "3478", "0x11 th dport 3479" + to + "3479"}
}

func (h mappedHome) waitMapped(t *testing.T) {
	t.Helper()
	began := time.Now()
	eventually(t, "the mappings", patience, func() bool {
		status := h.status().Mapping
		return status.State == "active" && len(status.Ports) == 4
	})
	t.Logf("mapped %v after the start", time.Since(began))
}

func TestUPnPOpensTheServerToTheWorld(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t, "--upnp")
	h.waitMapped(t)
	rules := h.mapped(t)
	for _, rule := range h.rules() {
		if !strings.Contains(rules, rule) {
			t.Errorf("the router has no rule %q:\n%s", rule, rules)
		}
	}
	mapping := h.status().Mapping
	if mapping.External != h.router.Addr().String() || !strings.Contains(mapping.Gateway, "Peerlab test router") {
		t.Errorf("mapping: %+v", mapping)
	}
	for _, port := range mapping.Ports {
		if left := time.Until(port.Expires); left <= 0 || left > 2*time.Hour {
			t.Errorf("%s %d stays mapped for %v if the server dies", port.Protocol, port.External, left)
		}
	}

	// The link to share is one that works out there; with it, all else does.
	link := h.do(h.inside, http.MethodPost, "/rooms", "Accept", "application/json").body
	if !strings.Contains(link, fmt.Sprintf(`"url":"http://%s:8080/rooms/`, h.router.Addr())) {
		t.Errorf("the link to share is %s", link)
	}
	world := h.fromOutside()
	world.get("/healthz")
	room := world.room()
	ann, bob := world.join(t, h.outside, room, "ann"), h.join(t, h.inside, room, "bob")
	ann.expect("peer-joined")
	bob.send(candidateMessage(ann.welcome.Self.ID, "hello"))
	if got := ann.expect("signal"); got.From != bob.welcome.Self.ID {
		t.Errorf("ann gets %+v", got)
	}
	to, entry := echo(t, h.outside), relayEntry(t, ann)
	for _, transport := range []string{"udp", "tcp"} {
		through := allocate(t, h.outside, entry, transport)
		roundTrip(t, through, to, "hello through the mapped port over "+transport)
		// Two relayed peers meet within the relay, whose own ports are not mapped.
		other := allocate(t, h.outside, entry, transport)
		meet(t, through, other)
		through.Close() // while there is somebody to hear it
		other.Close()
	}
	for _, m := range []*member{ann, bob} {
		m.ws.Close() // or the server waits for their goodbye
	}

	if code := h.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if rules := h.mapped(t); strings.Contains(rules, "dnat") {
		t.Errorf("after the end the router still forwards:\n%s", rules)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if conn, err := h.outside.DialContext(ctx, "tcp", world.addr()); err == nil {
		conn.Close()
		t.Error("the port is still open to the world")
	}
}

// meet lets two relayed peers talk.
func meet(t *testing.T, a, b net.PacketConn) {
	t.Helper()
	// Nobody is heard by a peer who has not spoken to him: the first is in vain.
	for _, way := range [][2]net.PacketConn{{b, a}, {a, b}, {b, a}} {
		if _, err := way[0].WriteTo([]byte("hello, relayed peer"), way[1].LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range [][2]net.PacketConn{{a, b}, {b, a}} {
		way[1].SetReadDeadline(time.Now().Add(patience))
		if _, sender, err := way[1].ReadFrom(make([]byte, 64)); err != nil || sender.String() != way[0].LocalAddr().String() {
			t.Errorf("%s hears %v (%v), want %s", way[1].LocalAddr(), sender, err, way[0].LocalAddr())
		}
	}
}

// The same by the button on the page, which only the owner may press.
func TestPortsAreMappedByTheButton(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t)
	press := func(from vantage, base, value string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/nat/map", strings.NewReader(url.Values{"on": {value}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := clientAt(from).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	owner := "http://localhost:8080"
	if h.status().Mapping.State != "off" || strings.Contains(h.mapped(t), "dnat") {
		t.Errorf("mapped without being asked: %+v", h.status().Mapping)
	}
	for name, code := range map[string]int{
		"a neighbour":                         press(h.router, h.base, "true"),
		"the owner's machine by its LAN name": press(h.inside, h.base, "true"),
	} {
		if code != http.StatusForbidden {
			t.Errorf("%s may map ports: %d", name, code)
		}
	}
	if code := press(h.inside, owner, "perhaps"); code != http.StatusUnprocessableEntity {
		t.Errorf("on=perhaps: %d", code)
	}
	if code := press(h.inside, owner, "true"); code != http.StatusSeeOther {
		t.Errorf("the owner may not map ports: %d", code)
	}
	h.waitMapped(t)
	h.fromOutside().get("/healthz")
	if code := press(h.inside, owner, "false"); code != http.StatusSeeOther {
		t.Errorf("the owner may not close them: %d", code)
	}
	eventually(t, "the mappings to go", patience, func() bool { return h.status().Mapping.State == "off" })
	if rules := h.mapped(t); strings.Contains(rules, "dnat") {
		t.Errorf("the router still forwards:\n%s", rules)
	}
}

// A server that was killed could not clean up; its successor takes over.
func TestMappingsOfAKilledServerAreTakenOver(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t, "--upnp")
	h.waitMapped(t)
	h.kill()
	if !strings.Contains(h.mapped(t), "dnat") {
		t.Fatal("the mappings are gone by themselves: nothing to take over")
	}
	h.server = startServer(t, h.inside, "--upnp", "--stun-servers", "25.0.0.9:1")
	h.waitMapped(t)
	h.fromOutside().get("/healthz")
	h.Stop()
	if rules := h.mapped(t); strings.Contains(rules, "dnat") {
		t.Errorf("after the end of the successor the router still forwards:\n%s", rules)
	}
}

func TestVerdictOnTheNAT(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) {
		h := newMappedHome(t, "--upnp")
		if nat := h.verdict(t); nat.Kind != "one NAT" || !strings.Contains(nat.Sentence, h.router.Addr().String()) {
			t.Errorf("verdict: %+v", nat)
		}
	})
	t.Run("two", func(t *testing.T) {
		lab := netlab.New(t)
		outer := lab.WAN.Router("outer", netlab.Cone)
		inner := outer.LAN.Router("inner", netlab.Cone)
		// Where a carrier's network is no private one, only the comparison of
		// both addresses shows that there is a second NAT.
		configure(t, outer.Host, "addr", "add", "26.0.0.1/24", "dev", "lan0")
		configure(t, inner.Host, "addr", "flush", "dev", "eth0")
		configure(t, inner.Host, "addr", "add", "26.0.0.2/24", "dev", "eth0")
		configure(t, inner.Host, "route", "add", "default", "via", "26.0.0.1")
		inner.UPnP()
		s := startServer(t, inner.LAN.Host("inside"), "--upnp", "--stun-servers", stunServer(t, lab))
		nat := s.verdict(t)
		if nat.Kind != "two NATs" || !strings.Contains(nat.Sentence, "26.0.0.2") || !strings.Contains(nat.Sentence, outer.Addr().String()) {
			t.Errorf("verdict: %+v", nat)
		}
	})
	// miniupnpd gives no address out that is not public, and maps nothing.
	t.Run("two, and the router is silent", func(t *testing.T) {
		lab := netlab.New(t)
		outer := lab.WAN.Router("outer", netlab.Cone)
		inner := outer.LAN.Router("inner", netlab.Cone)
		inner.UPnP()
		s := startServer(t, inner.LAN.Host("inside"), "--upnp", "--stun-servers", stunServer(t, lab))
		if nat := s.verdict(t); nat.Kind != "not known" || !strings.Contains(nat.Sentence, "second NAT") {
			t.Errorf("verdict: %+v", nat)
		}
		eventually(t, "the refusal to be told", patience, func() bool { return s.status().Mapping.State == "failed" })
		if detail := s.status().Mapping.Detail; detail == "" {
			t.Error("why nothing is mapped is not told")
		} else {
			t.Log(detail)
		}
	})
	t.Run("none", func(t *testing.T) {
		lab := netlab.New(t)
		host := lab.WAN.Host("server")
		s := startServer(t, host, "--upnp", "--stun-servers", stunServer(t, lab))
		if nat := s.verdict(t); nat.Kind != "no NAT" || !strings.Contains(nat.Sentence, host.Addr().String()) {
			t.Errorf("verdict: %+v", nat)
		}
	})
}

// configure runs iproute2 on a host.
func configure(t *testing.T, host *netlab.Host, args ...string) {
	t.Helper()
	if out, err := host.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// verdict waits for the outcome of the check of the NAT.
func (s *server) verdict(t *testing.T) (nat natStatus) {
	t.Helper()
	eventually(t, "the verdict", patience, func() bool {
		nat = s.status().NAT
		return nat.State == "known" || nat.State == "failed"
	})
	return nat
}

// Many routers have UPnP switched off.
func TestNoGatewayIsSaidAndHurtsNothing(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	router := lab.WAN.Router("router", netlab.Cone)
	inside, neighbour := router.LAN.Host("inside"), router.LAN.Host("neighbour")
	began := time.Now()
	s := startServer(t, inside, "--upnp", "--stun-servers", "25.0.0.200:3478")
	s.room() // is at work before it knows
	eventually(t, "the search to end", patience, func() bool { return s.status().Mapping.State == "failed" })
	t.Logf("no gateway: known after %v", time.Since(began))
	if detail := s.status().Mapping.Detail; !strings.Contains(detail, "No router answered") {
		t.Errorf("the detail is %q", detail)
	}
	ann := s.join(t, neighbour, s.room(), "ann")
	roundTrip(t, allocate(t, neighbour, relayEntry(t, ann), "udp"), echo(t, neighbour), "hello on the LAN")
}
