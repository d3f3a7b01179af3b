package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/leaks"
	"peerlab/web"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const openRoom = "abcdefghijklmnopqrstuvwxyz"

// rooms is a hub with one open room.
type rooms struct {
	createErr error
}

func (r *rooms) Create(netip.Addr) (string, error) { return openRoom, r.createErr }
func (r *rooms) Exists(room string) bool           { return room == openRoom }

// ServeWS echoes, which needs a connection that survived the middleware.
func (r *rooms) ServeWS(w http.ResponseWriter, req *http.Request, room string) {
	up := websocket.Upgrader{}
	conn, err := up.Upgrade(w, req, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	kind, message, err := conn.ReadMessage()
	if err == nil {
		_ = conn.WriteMessage(kind, append([]byte(room+" "), message...))
	}
}

// fixture is a site on a real listener, and what was asked of its parts.
type fixture struct {
	*testing.T
	URL     string
	handler http.Handler
	rooms   *rooms
	log     *lockedBuffer

	mu      sync.Mutex
	invited []string
	mapped  []bool
	checked int
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func start(t *testing.T, change ...func(*web.Config)) *fixture {
	t.Helper()
	f := &fixture{T: t, rooms: &rooms{}, log: &lockedBuffer{}}
	cfg := web.Config{
		Rooms:        f.rooms,
		Status:       func(context.Context) web.Status { return busyStatus() },
		ClientAddr:   func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() },
		AllowedHosts: func(host string) bool { return host != "evil.example" },
		ShareURLs:    func(*http.Request) []string { return []string{"http://192.0.2.7:8080"} },
		Invite: func(_ context.Context, room string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.invited = append(f.invited, room)
			return nil
		},
		MapPorts: func(_ context.Context, on bool) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.mapped = append(f.mapped, on)
			return nil
		},
		CheckNAT: func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.checked++
			return nil
		},
		Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	h, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.handler = h
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

func busyStatus() web.Status {
	return web.Status{
		Version: "1.2.3", Started: time.Now().Add(-90 * time.Minute), URLs: []string{"http://localhost:8080/"},
		Relay: web.Relay{Mode: web.RelayOwn, Addrs: []string{"udp :3478"}, RelayIP: "192.0.2.7", Allocations: 3, Bytes: 1234567, Packets: 1001,
			Refusals: map[string]uint64{"quota": 2, "forbidden peer": 5}},
		Mapping: web.Mapping{State: web.MappingActive, Gateway: "a router", External: netip.MustParseAddr("198.51.100.4"),
			Ports: []web.MappedPort{{Protocol: "udp", External: 3478, Internal: 3478, Expires: time.Now().Add(time.Hour)}}},
		NAT:   web.NAT{State: web.NATKnown, Kind: "open", Sentence: "nothing stands between", Addresses: []web.NamedAddr{{Name: "Here", Addr: "192.0.2.7"}}},
		Rooms: web.Census{Rooms: 2, Peers: 5, Created: 7, Messages: 99, Dropped: 1},
	}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// ask sends a request and does not follow redirects. Headers come in pairs;
// "Host" sets the host.
func (f *fixture) ask(method, path, body string, headers ...string) answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (f *fixture) get(path string, headers ...string) answer {
	f.Helper()
	return f.ask("GET", path, "", headers...)
}

func (a answer) want(t *testing.T, status int, contains ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d", a.Request.Method, a.Request.URL.Path, a.StatusCode, status)
	}
	for _, text := range contains {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: body lacks %q", a.Request.Method, a.Request.URL.Path, text)
		}
	}
}

func TestRoutes(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		location, contains string
	}{
		{"GET", "/", "", 200, "", "Start a room"},
		{"HEAD", "/", "", 200, "", ""},
		{"GET", "/status", "", 200, "", "forbidden peer"},
		{"GET", "/api/status", "", 200, "", `"version":"1.2.3"`},
		{"GET", "/healthz", "", 200, "", "ok"},
		{"GET", "/metrics", "", 200, "", "peerlab_rooms 2"},
		{"GET", "/favicon.ico", "", 200, "", "<svg"},
		{"GET", "/rooms/" + openRoom, "", 200, "", "http://192.0.2.7:8080/rooms/" + openRoom},
		{"POST", "/rooms", "", 303, "/rooms/" + openRoom, ""},
		{"POST", "/rooms/" + openRoom + "/invite", "", 303, "/rooms/" + openRoom, ""},
		{"POST", "/rooms/nosuchroom/invite", "", 404, "", "There is no such room"},
		{"POST", "/nat/map", "on=true", 303, "/#mapping", ""},
		{"POST", "/nat/map", "on=maybe", 422, "", "Open or close?"},
		{"POST", "/nat/check", "", 303, "/#nat", ""},
		{"GET", "/nothing", "", 404, "", "Nothing here"},
		{"GET", "/rooms", "", 405, "", "Not this way"},
		{"DELETE", "/status", "", 405, "", "Not this way"},
	} {
		got := f.ask(c.method, c.path, c.body)
		got.want(t, c.status, c.contains)
		if loc := got.Header.Get("Location"); loc != c.location {
			t.Errorf("%s %s: Location %q, want %q", c.method, c.path, loc, c.location)
		}
	}
	if allow := f.get("/rooms").Header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow is %q", allow)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.invited) != 1 || f.invited[0] != openRoom || len(f.mapped) != 1 || !f.mapped[0] || f.checked != 1 {
		t.Errorf("asked for: invite %v, map %v, check %d", f.invited, f.mapped, f.checked)
	}
}

func TestCreateRoomForPrograms(t *testing.T) {
	f := start(t)
	got := f.ask("POST", "/rooms", "", "Accept", "application/json")
	got.want(t, 201, `"room":"`+openRoom+`"`, `"url":"http://192.0.2.7:8080/rooms/`+openRoom+`"`)
	if got.Header.Get("Location") != "/rooms/"+openRoom {
		t.Errorf("Location %q", got.Header.Get("Location"))
	}
}

func TestHubErrorsHaveWords(t *testing.T) {
	f := start(t)
	for _, c := range hubErrors {
		f.rooms.createErr = c.err
		f.ask("POST", "/rooms", "").want(t, c.status, c.title)
		f.ask("POST", "/rooms", "", "Accept", "application/json").want(t, c.status, `"error":"`+c.title)
	}
	if logged := f.log.String(); !strings.Contains(logged, "the disk is on fire") || strings.Contains(logged, "too many rooms") {
		t.Errorf("only an error of ours belongs in the log:\n%s", logged)
	}
}

func TestMissingRoomsLookTheSame(t *testing.T) {
	f := start(t)
	first := f.get("/rooms/zyxwvutsrqponmlkjihgfedcba")
	first.want(t, 404, "There is no such room", "Start a new room")
	for _, id := range []string{"short", "%20", "ABCDEFGHIJKLMNOPQRSTUVWXY!", strings.Repeat("a", 3000), "a%2Fb", "%00"} {
		got := f.get("/rooms/" + id)
		if got.StatusCode != 404 || got.body != first.body {
			t.Errorf("room %.40q: status %d, or another page than for a room that never was", id, got.StatusCode)
		}
	}
}

func TestJoin(t *testing.T) {
	f := start(t)
	for text, room := range map[string]string{
		openRoom: openRoom,
		"http://192.0.2.7:8080/rooms/" + openRoom:            openRoom,
		"https://x.example/rooms/" + openRoom + "?path=any#": openRoom,
		"  " + strings.ToUpper(openRoom) + "\n":              openRoom,
		"come to http://h/rooms/" + openRoom + " please":     openRoom,
		"": "", "hello": "", openRoom + "a": "", "https://evil.example/" + openRoom: "",
	} {
		got := f.ask("POST", "/join", "link="+queryEscape(text))
		if room != "" {
			got.want(t, 303)
			if got.Header.Get("Location") != "/rooms/"+room {
				t.Errorf("%q leads to %q", text, got.Header.Get("Location"))
			}
			continue
		}
		got.want(t, 422, `aria-invalid="true"`, `role="alert"`)
	}
	f.ask("POST", "/join", "link="+queryEscape(`"><script>x</script>`)).want(t, 422, `value="&#34;&gt;&lt;script&gt;`)
}

func TestLargeBodyIsRefused(t *testing.T) {
	f := start(t)
	f.ask("POST", "/join", "link="+strings.Repeat("a", 100<<10)).want(t, 413, "At most 8192 bytes")
}

func TestWebSocketPassesTheMiddleware(t *testing.T) {
	f := start(t)
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(f.URL, "http")+"/rooms/"+openRoom+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, message, err := conn.ReadMessage()
	if err != nil || string(message) != openRoom+" hello" {
		t.Fatalf("%q, %v", message, err)
	}
}

func TestPanicBecomesAPage(t *testing.T) {
	f := start(t, func(c *web.Config) {
		c.Status = func(context.Context) web.Status { panic("lost my marbles") }
	})
	f.get("/").want(t, 500, "That was our mistake")
	f.get("/api/status").want(t, 500, `"error":"That was our mistake"`)
	if !strings.Contains(f.log.String(), "lost my marbles") {
		t.Error("the panic is not in the log")
	}
}

func TestRoomIDsStayOutOfTheLog(t *testing.T) {
	f := start(t)
	f.get("/rooms/" + openRoom)
	f.ask("POST", "/rooms/"+openRoom+"/invite", "")
	if logged := f.log.String(); strings.Contains(logged, openRoom) || !strings.Contains(logged, "GET /rooms/{room}") {
		t.Errorf("the log should name routes, not rooms:\n%s", logged)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := web.New(web.Config{}); err == nil || !strings.Contains(err.Error(), "Config.") {
		t.Errorf("an empty Config: %v", err)
	}
}

func TestOptionalPartsAreNotOffered(t *testing.T) {
	f := start(t, func(c *web.Config) { c.Invite, c.MapPorts, c.CheckNAT = nil, nil, nil })
	for _, path := range []string{"/rooms/" + openRoom + "/invite", "/nat/map", "/nat/check"} {
		f.ask("POST", path, "").want(t, 404)
	}
	if f.get("/rooms/"+openRoom).has("Invite the Go peer") || f.get("/").has("/nat/") {
		t.Error("a button leads nowhere")
	}
}

func TestFailedInviteSaysWhy(t *testing.T) {
	f := start(t, func(c *web.Config) {
		c.Invite = func(context.Context, string) error { return errors.New("four Go peers are busy already") }
	})
	f.ask("POST", "/rooms/"+openRoom+"/invite", "", "Accept", "application/json").
		want(t, 503, `"message":"Four Go peers are busy already."`)
}

func (a answer) has(text string) bool { return strings.Contains(a.body, text) }
