package e2e

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyOwnNamesAreAnswered(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, "--public-url", "https://lab.example", "--allowed-hosts", "other.example")
	room := s.room()
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]:8080", "192.168.1.7:8080", "lab.example", "other.example:80", machine} {
		if r := s.do(here, "GET", "/", "Host", host); r.StatusCode != http.StatusOK {
			t.Errorf("Host %s: %s", host, r.Status)
		}
	}
	for _, host := range []string{"evil.example", "lab.example.evil.example", "localhost.evil.example", "evil.example:8080", "127.0.0.1.evil.example"} {
		for _, c := range [][2]string{{"GET", "/"}, {"GET", "/api/status"}, {"POST", "/rooms"}, {"GET", "/rooms/" + room}, {"GET", "/metrics"}} {
			r := s.do(here, c[0], c[1], "Host", host)
			if r.StatusCode != http.StatusMisdirectedRequest || strings.Contains(r.body, room) {
				t.Errorf("%s %s for Host %s: %s", c[0], c[1], host, r.Status)
			}
		}
		ws, resp, err := dialSocket(s, t, here, room, http.Header{"Host": {host}})
		if err == nil {
			ws.Close()
			t.Errorf("a WebSocket for Host %s is opened", host)
		} else if resp == nil || resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("a WebSocket for Host %s: %v, %v", host, resp, err)
		}
		// What a health check learns is that we are here.
		if r := s.do(here, "GET", "/healthz", "Host", host); r.body != "ok\n" {
			t.Errorf("/healthz for Host %s: %s", host, r.Status)
		}
	}
}

func TestOtherSitesCanNotAct(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, "--public-url", "https://lab.example")
	room := s.room()
	for name, c := range map[string]struct {
		header []string
		ok     bool
	}{
		"no browser":          {nil, true},
		"our page":            {[]string{"Origin", s.base, "Sec-Fetch-Site", "same-origin"}, true},
		"another site":        {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, false},
		"an old browser":      {[]string{"Origin", "https://evil.example"}, false},
		"another port":        {[]string{"Origin", "http://localhost:1", "Sec-Fetch-Site", "same-site"}, false},
		"a sandboxed page":    {[]string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, false},
		"a subdomain of ours": {[]string{"Origin", "https://evil.lab.example", "Sec-Fetch-Site", "cross-site"}, false},
	} {
		for _, path := range []string{"/rooms", "/rooms/" + room + "/invite", "/nat/check", "/nat/map", "/join"} {
			r := s.do(here, "POST", path, c.header...)
			if refused := r.StatusCode == http.StatusForbidden; refused == c.ok {
				t.Errorf("POST %s from %s: %s", path, name, r.Status)
			}
		}
		header := http.Header{}
		for i := 0; i < len(c.header); i += 2 {
			header.Set(c.header[i], c.header[i+1])
		}
		ws, resp, err := dialSocket(s, t, here, room, header)
		if err == nil {
			ws.Close()
		}
		if (err == nil) != c.ok || !c.ok && (resp == nil || resp.StatusCode != http.StatusForbidden) {
			t.Errorf("WebSocket from %s: %v, %v", name, resp, err)
		}
	}
}

func TestEveryAnswerCarriesItsHeaders(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	asset := stylesheet(t, s)
	for _, path := range []string{"/", "/status", "/rooms/" + s.room(), "/api/status", "/metrics", "/healthz", "/no-such-page", asset} {
		r := s.do(here, "GET", path)
		for name, want := range map[string]string{
			"X-Content-Type-Options":       `^nosniff$`,
			"Referrer-Policy":              `^same-origin$`,
			"Cross-Origin-Opener-Policy":   `^same-origin$`,
			"Cross-Origin-Resource-Policy": `^same-origin$`,
			"Content-Security-Policy":      `default-src 'none'.*script-src 'self';.*frame-ancestors 'none'`,
			"Permissions-Policy":           `camera=\(\)`,
		} {
			if got := r.Header.Get(name); !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if policy := r.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", path, policy)
		}
		if cache := r.Header.Get("Cache-Control"); path != asset && cache != "no-store" {
			t.Errorf("%s may be stored: %q", path, cache)
		}
	}
}

// stylesheet finds a hashed URL in the front page.
func stylesheet(t *testing.T, s *server) string {
	t.Helper()
	found := regexp.MustCompile(`href="(/static/[0-9a-f]{8,}/[^"]+\.css)"`).FindStringSubmatch(s.get("/").body)
	if found == nil {
		t.Fatal("the front page names no stylesheet under /static/<hash>/")
	}
	return found[1]
}

func TestHashedFilesMayBeKeptForEver(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	asset := stylesheet(t, s)
	r := s.get(asset)
	if r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || r.Header.Get("Content-Type") != "text/css; charset=utf-8" || r.body == "" {
		t.Errorf("%s: %v, %d bytes", asset, r.Header, len(r.body))
	}
	hash := strings.Split(asset, "/")[2]
	for _, path := range []string{
		strings.Replace(asset, hash, strings.Repeat("0", len(hash)), 1), // of another version
		"/static/" + hash + "/", "/static/" + hash + "/no-such.css", "/static/" + hash + "/static.go",
		"/static/" + hash + "/css/..%2f..%2fgo.mod", "/static/" + hash + "/%2e%2e/%2e%2e/etc/passwd",
	} {
		r := s.do(here, "GET", path)
		if r.StatusCode == http.StatusOK || r.Header.Get("Cache-Control") != "no-store" && r.StatusCode == http.StatusNotFound {
			t.Errorf("%s: %s, Cache-Control %q", path, r.Status, r.Header.Get("Cache-Control"))
		}
	}
	// The same build has the same URLs, so a restart does not empty caches.
	if again := stylesheet(t, startServer(t, nil)); again != asset {
		t.Errorf("after a restart %s is %s", asset, again)
	}
}

func TestRoomsAreMade(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	id := regexp.MustCompile(`^/rooms/([a-z2-7]{26})$`)
	form := s.do(here, "POST", "/rooms")
	if form.StatusCode != http.StatusSeeOther || !id.MatchString(form.Header.Get("Location")) {
		t.Errorf("POST /rooms: %s, Location %q", form.Status, form.Header.Get("Location"))
	}
	program := s.do(here, "POST", "/rooms", "Accept", "application/json")
	found := regexp.MustCompile(`^\{"room":"([a-z2-7]{26})","url":"([^"]+)"\}\n$`).FindStringSubmatch(program.body)
	if program.StatusCode != http.StatusCreated || found == nil {
		t.Fatalf("POST /rooms for JSON: %s %q", program.Status, program.body)
	}
	u, err := url.Parse(found[2])
	if err != nil || u.Path != "/rooms/"+found[1] || u.Scheme != "http" || program.Header.Get("Location") != u.Path {
		t.Errorf("room %s has the URL %s and the Location %s", found[1], found[2], program.Header.Get("Location"))
	}
	if form.Header.Get("Location") == u.Path {
		t.Error("the same room twice")
	}
	for _, path := range []string{form.Header.Get("Location"), u.Path} {
		s.get(path)
	}
	ann := s.join(t, here, found[1], "ann")
	if ann.welcome.Room != found[1] || ann.welcome.V != 1 || ann.welcome.Self.Name != "ann" || len(ann.welcome.Peers) != 0 {
		t.Errorf("welcome: %+v", ann.welcome)
	}
}

// A room's link is its password, so nothing may tell a wrong one from a late one.
func TestWhatIsNoRoomIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	ids := []string{
		strings.Repeat("a", 26),          // could be one
		s.room()[:25],                    // a letter is missing
		strings.ToUpper(s.room()),        // not how we write it
		"x",                              //
		strings.Repeat("a", 500),         //
		"..%2f..%2fetc", "%00", "%ff%fe", //
		"%3Cscript%3Ealert(1)%3C%2Fscript%3E", //
	}
	var page, told string
	for _, id := range ids {
		r := s.do(here, "GET", "/rooms/"+id)
		if r.StatusCode != http.StatusNotFound || !strings.Contains(r.body, "no such room") {
			t.Errorf("%s: %s", id, r.Status)
		}
		if page == "" {
			page = r.body
		}
		if r.body != page {
			t.Errorf("the page for %s differs from that of %s", id, ids[0])
		}
		m := s.openSocket(t, here, id)
		m.send(joinMessage("ann"))
		answer := m.expect("error")
		if answer.Code != "no-room" || !answer.Fatal {
			t.Errorf("%s: %+v", id, answer)
		}
		if told == "" {
			told = answer.Message
		}
		if code := m.expectClose(); answer.Message != told || code != 1008 {
			t.Errorf("%s: %q and close code %d, others %q", id, answer.Message, code, told)
		}
		if r := s.do(here, "POST", "/rooms/"+id+"/invite"); r.StatusCode != http.StatusNotFound {
			t.Errorf("inviting the Go peer to %s: %s", id, r.Status)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	before := s.metrics()
	for name, want := range map[string]float64{"peerlab_rooms": 0, "peerlab_peers": 0, "peerlab_rooms_created_total": 0} {
		if got, ok := before[name]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, ok, want)
		}
	}
	room := s.room()
	ann, bob := s.join(t, here, room, "ann"), s.join(t, here, room, "bob")
	ann.expect("peer-joined")
	bob.send(candidateMessage(ann.welcome.Self.ID, ""))
	ann.expect("signal")
	after := s.metrics()
	for name, want := range map[string]float64{
		"peerlab_rooms": 1, "peerlab_peers": 2, "peerlab_rooms_created_total": 1, "peerlab_signaling_messages_total": 1,
		"peerlab_relay_allocations": 0,
	} {
		if got, ok := after[name]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, ok, want)
		}
	}
	if after["peerlab_uptime_seconds"] <= before["peerlab_uptime_seconds"] {
		t.Error("the uptime does not grow")
	}
}

// metrics reads /metrics as strictly as the text format 0.0.4 is defined: each
// family has its HELP and TYPE before its samples. Names include the labels.
func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	r := s.get("/metrics")
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		s.t.Errorf("/metrics has the type %q", kind)
	}
	var (
		help    = regexp.MustCompile(`^# HELP ([a-z_]+) .+$`)
		kind    = regexp.MustCompile(`^# TYPE ([a-z_]+) (?:counter|gauge)$`)
		metric  = regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="(?:[^"\\]|\\.)*"\})? (\S+)$`)
		helped  string
		typed   string
		samples = map[string]float64{}
	)
	for line := range strings.Lines(r.body) {
		line = strings.TrimSuffix(line, "\n")
		if m := help.FindStringSubmatch(line); m != nil {
			helped = m[1]
		} else if m := kind.FindStringSubmatch(line); m != nil && m[1] == helped {
			typed = m[1]
		} else if m := metric.FindStringSubmatch(line); m != nil && m[1] == typed {
			value, err := strconv.ParseFloat(m[3], 64)
			if _, twice := samples[m[1]+m[2]]; err != nil || twice {
				s.t.Errorf("/metrics: %q", line)
			}
			samples[m[1]+m[2]] = value
		} else {
			s.t.Errorf("/metrics: %q is out of place", line)
		}
	}
	return samples
}
