package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"peerlab/trace"
)

// post sends a form to the server, as a program or as a browser does.
func (s *server) post(path, form string, header ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := clientAt(s.from).Do(r)
	if err != nil {
		s.t.Fatalf("POST %s: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("POST %s: %v", path, err)
	}
	return reply{resp, string(body)}
}

// labRun is a run of a lab, known by its address.
type labRun struct {
	s    *server
	path string // such as /runs/ABC
}

// startRun starts a run with the parameters of a form.
func (s *server) startRun(slug, form string) labRun {
	s.t.Helper()
	r := s.post("/labs/"+slug+"/runs", form, "Accept", "application/json")
	var made struct{ URL string }
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || r.StatusCode != http.StatusCreated {
		s.t.Fatalf("start %s with %s: %s %q", slug, form, r.Status, r.body)
	}
	return labRun{s, made.URL}
}

// labLinks lists the labs of the dashboard: /labs/tcp-server and so on.
func (s *server) labLinks() []string {
	s.t.Helper()
	var links []string
	for _, found := range regexp.MustCompile(`href="(/labs/[a-z0-9-]+)"[^>]*data-testid="lab-`).FindAllStringSubmatch(s.get("/").body, -1) {
		links = append(links, found[1])
	}
	if len(links) < 5 {
		s.t.Fatalf("the dashboard has the labs %v", links)
	}
	return links
}

// saved is the run as it is exported.
func (r labRun) saved() trace.Run {
	r.s.t.Helper()
	var run trace.Run
	if err := json.Unmarshal([]byte(r.s.get(r.path+".json").body), &run); err != nil {
		r.s.t.Fatalf("%s.json: %v", r.path, err)
	}
	return run
}

// over follows the run until it has ended.
func (r labRun) over() {
	r.s.t.Helper()
	ctx, cancel := context.WithTimeout(r.s.t.Context(), 2*patience)
	defer cancel()
	if err := follow(ctx, r.s.base+r.path+"/events", 0, func([]trace.Event) {}); err != nil {
		r.s.t.Fatalf("%s does not end: %v", r.path, err)
	}
}

// stop ends the run.
func (r labRun) stop() {
	r.s.t.Helper()
	if got := r.s.post(r.path+"/stop", "", "Accept", "application/json"); got.StatusCode != http.StatusAccepted {
		r.s.t.Errorf("stop: %s %s", got.Status, got.body)
	}
}

// follow reads the events of a run from behind a seq until the server says
// that it has ended. It is a client of server-sent events of our own.
func follow(ctx context.Context, address string, after uint64, take func([]trace.Event)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if after > 0 {
		r.Header.Set("Last-Event-ID", fmt.Sprint(after))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	lines := bufio.NewReader(resp.Body)
	for kind := ""; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == "event":
			kind = value
		case name == "data" && kind == "end":
			return nil
		case name == "data" && kind == "events":
			var events []trace.Event
			if err := json.Unmarshal([]byte(value), &events); err != nil {
				return err
			}
			take(events)
		}
	}
}

// commands lists what the page of the run offers to type in a terminal, once
// all of it is filled in.
func (r labRun) commands() []string {
	r.s.t.Helper()
	item := regexp.MustCompile(`(?s)<li class="command"[^>]*data-ready="(true|false)".*?<code[^>]*>(.*?)</code>`)
	var all []string
	eventually(r.s.t, "the commands to be filled in", patience, func() bool {
		all = nil
		for _, found := range item.FindAllStringSubmatch(r.s.get(r.path).body, -1) {
			if found[1] != "true" {
				return false
			}
			all = append(all, html.UnescapeString(found[2]))
		}
		return len(all) > 0
	})
	return all
}

// shell types a command, and returns what it wrote.
func shell(t testing.TB, command, input string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Env = append(os.Environ(), "no_proxy=", "NO_PROXY=", "http_proxy=", "ALL_PROXY=")
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// containing picks the first text that has all of the parts.
func containing(t testing.TB, all []string, parts ...string) string {
	t.Helper()
next:
	for _, text := range all {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				continue next
			}
		}
		return text
	}
	t.Fatalf("none of %q has %q", all, parts)
	return ""
}
