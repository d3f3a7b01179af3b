package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"peerlab/trace"
)

// seconds is a run of the TCP server that is over soon, with some of everything.
const seconds = "clients=3&silent=1&messages=3&pace=60&wait=500&stay=0"

func TestABadParameterIsNamedAndNothingIsRun(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	for slug, c := range map[string]struct{ form, field, kept string }{
		"/labs/tcp-server":    {"clients=9999&messages=7", "clients", `value="7"`},
		"/labs/listen-dial":   {"clients=0&backlog=7", "clients", `value="7"`},
		"/labs/udp":           {"window=0&size=77", "window", `value="77"`},
		"/labs/deadlines":     {"drips=99&places=7", "drips", `value="7"`},
		"/labs/tcp-pool":      {"size=99&leak=7", "size", `value="7"`},
		"/labs/dns":           {"address=moon&lookups=17", "address", `value="17"`},
		"/labs/fasthttp":      {"load=5000&for=20", "for", `value="5000"`},
		"/labs/transport":     {"order=log+moon&fail=5", "order", `value="5"`},
		"/labs/hijack":        {"early=99&lines=7", "early", `value="7"`},
		"/labs/proxy":         {"load=-1&requests=17", "load", `value="17"`},
		"/labs/keep-alive":    {"against=moon&requests=17", "against", `value="17"`},
		"/labs/throttle":      {"refill=NaN&burst=13", "refill", `value="13"`},
		"/labs/latency":       {"think=9999999&warm=4", "think", `value="4"`},
		"/labs/multiplexing":  {"requests=40&size=100", "size", `value="40"`},
		"/labs/pipelining":    {"requests=4&at=9", "at", `value="4"`},
		"/labs/slow-network":  {"toxic=slicer&size=123", "toxic", `value="123"`},
		"/labs/nat-matrix":    {"a=moon&pace=77", "a", `value="77"`},
		"/labs/webrtc":        {"show=death&pool=7", "show", `value="7"`},
		"/labs/nat-type":      {"server=example.org:53&life=77", "server", `value="77"`},
		"/labs/port-mapping":  {"carrier=moon&port=17", "carrier", `value="17"`},
		"/labs/http2":         {"window=5&busy=77", "window", `value="77"`},
		"/labs/packets":       {"filter=tcp+port&size=17", "filter", `value="17"`},
		"/labs/hole-punching": {"a=cone&guesses=17", "a", `value="17"`},
	} {
		page := s.post(slug+"/runs", c.form, "Accept", "text/html")
		if page.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page.body, "Nothing was run.") ||
			!strings.Contains(page.body, `data-testid="problem-`+c.field+`"`) || !strings.Contains(page.body, c.kept) {
			t.Errorf("%s with %s: %s, without the field, or what was entered", slug, c.form, page.Status)
		}
		var told struct{ Field, Message string }
		program := s.post(slug+"/runs", c.form, "Accept", "application/json")
		if err := json.Unmarshal([]byte(program.body), &told); err != nil || program.StatusCode != http.StatusUnprocessableEntity || told.Field != c.field || told.Message == "" {
			t.Errorf("%s with %s: %s %s", slug, c.form, program.Status, program.body)
		}
		if program := s.post(slug+"/runs", "no-such=1", "Accept", "application/json"); program.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(program.body, "no-such") {
			t.Errorf("%s with a parameter it has not: %s %s", slug, program.Status, program.body)
		}
	}
}

func TestRunsAreOfOurOwnPagesOnly(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	run := s.startRun("tcp-server", "stay=60&duration=60")
	for _, path := range []string{"/labs/tcp-server/runs", run.path + "/stop", run.path + "/actions/drain"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
			if r := s.post(path, "", header...); r.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %v: %s", path, header, r.Status)
			}
		}
	}
	for _, path := range []string{"/labs/tcp-server", "/runs", run.path, run.path + ".json", run.path + "/events"} {
		if r := s.do(here, "GET", path, "Host", "evil.example"); r.StatusCode != http.StatusMisdirectedRequest || strings.Contains(r.body, run.path) {
			t.Errorf("GET %s for another host: %s", path, r.Status)
		}
	}
	if !run.saved().Ended.IsZero() {
		t.Error("another site stopped the run")
	}
	run.stop()
	run.over()
}

func TestAFinishedRunIsReadWithoutScript(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	run := s.startRun("tcp-server", seconds)
	run.over()
	page, facts := s.get(run.path).body, 0
	for _, e := range run.saved().Events {
		if e.Kind == trace.Fact {
			facts++
			if !strings.Contains(page, e.Name) {
				t.Errorf("the page does not tell %q", e.Name)
			}
		}
	}
	if facts == 0 || !strings.Contains(page, `data-state="ended"`) {
		t.Errorf("%d facts, or the page does not say that it ended", facts)
	}
}

// burst asks for runs, all at once, each from the address that from gives it,
// and tells which were started and how many answers there were of each status.
func burst(t *testing.T, s *server, asked int, from func(i int) string) (started []labRun, codes map[int]int) {
	t.Helper()
	var mu sync.Mutex
	codes = map[int]int{}
	client := clientAt(here)
	var all sync.WaitGroup
	for i := range asked {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/labs/tcp-server/runs", strings.NewReader("stay=60&duration=60"))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept", "application/json")
			r.Header.Set("X-Forwarded-For", from(i))
			resp, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[resp.StatusCode]++
			var made struct{ URL string }
			switch resp.StatusCode {
			case http.StatusCreated:
				if err := json.Unmarshal(body, &made); err != nil || made.URL == "" {
					t.Errorf("started: %s", body)
				}
				started = append(started, labRun{s, made.URL})
			case http.StatusTooManyRequests, http.StatusServiceUnavailable:
				if resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "Too many runs") {
					t.Errorf("%s: %s, Retry-After %q", resp.Status, body, resp.Header.Get("Retry-After"))
				}
			default:
				t.Errorf("%s: %s", resp.Status, body)
			}
		})
	}
	all.Wait()
	t.Logf("answers: %v", codes)
	return started, codes
}

func TestManyRunsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	const asked, ofOne, ofAll = 200, 4, 16 // the Runner's bounds
	for name, c := range map[string]struct {
		from    func(i int) string
		started int
		refused int
	}{
		"of one client":   {func(int) string { return "192.0.2.1" }, ofOne, http.StatusTooManyRequests},
		"of many clients": {func(i int) string { return fmt.Sprintf("192.0.2.%d", i%100) }, ofAll, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, nil, "--trusted-proxies", "127.0.0.0/8")
			s.startRun("tcp-server", seconds).over() // what is allocated once
			before := memory(t, s.Process, "VmRSS")
			started, codes := burst(t, s, asked, c.from)
			if len(started) != c.started || codes[c.refused] != asked-c.started {
				t.Errorf("%d runs of %d were started, want %d, and %d refused with %d", len(started), asked, c.started, asked-c.started, c.refused)
			}
			page := s.post("/labs/tcp-server/runs", "", "Accept", "text/html", "X-Forwarded-For", c.from(0))
			if page.StatusCode != c.refused || !strings.Contains(page.body, "Too many runs") || page.Header.Get("Retry-After") == "" {
				t.Errorf("a person is answered %s, Retry-After %q", page.Status, page.Header.Get("Retry-After"))
			}
			for _, run := range started {
				run.stop()
				run.over()
			}
			s.startRun("tcp-server", seconds).over() // there is room again
			after := memory(t, s.Process, "VmRSS")
			t.Logf("memory: %d MB before, %d MB afterwards", before>>20, after>>20)
			if after > before+64<<20 {
				t.Errorf("memory: %d MB before, %d MB afterwards", before>>20, after>>20)
			}
		})
	}
}
