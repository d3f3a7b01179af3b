package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// message is one server-sent event.
type message struct{ id, name, data string }

// stream reads messages until the server ends them, the context does, or read says enough.
func (f *labFixture) stream(ctx context.Context, path string, read func(message) bool, headers ...string) (last string) {
	f.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", f.URL+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		f.Errorf("%s: %s %v", path, resp.Status, resp.Header)
	}
	var m message
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			m.id, last = value, value
		case "event":
			m.name = value
		case "data":
			m.data = value
		case "":
			if m.name != "" && !read(m) {
				return last
			}
			m = message{}
		}
	}
	return last
}

// take adds the events of a message, which must follow on those there are.
func take(t *testing.T, events []trace.Event, m message) []trace.Event {
	t.Helper()
	var more []trace.Event
	if err := json.Unmarshal([]byte(m.data), &more); err != nil {
		t.Fatalf("%q: %v", m.data, err)
	}
	for _, e := range more {
		if want := uint64(len(events)) + 1; e.Seq != want {
			t.Fatalf("seq %d, want %d", e.Seq, want)
		}
		events = append(events, e)
	}
	if m.id != strconv.Itoa(len(events)) {
		t.Errorf("id %s of a message that ends with event %d", m.id, len(events))
	}
	return events
}

func TestEventsFromTheFirstToTheEnd(t *testing.T) {
	f := startLabs(t)
	path := f.run("count=400&sample=true")
	for range 2 { // a live one, and one that is over
		var events []trace.Event
		var names []string
		f.stream(t.Context(), path+"/events", func(m message) bool {
			if names = append(names, m.name); m.name == "events" {
				events = take(t, events, m)
			}
			return true
		})
		if names[0] != "status" || names[len(names)-1] != "end" {
			t.Errorf("messages %v", names)
		}
		if all := f.record(path).Log.Events(); len(events) != len(all) || events[len(events)-1].Text != all[len(all)-1].Text {
			t.Errorf("%d events of %d", len(events), len(all))
		}
		f.settled(path)
	}
}

// A HEAD is answered at once, though the run goes on, and watches nothing.
func TestTheHeadOfAStreamEnds(t *testing.T) {
	f := startLabs(t)
	path := f.run("wait=60000")
	got := f.ask("HEAD", path+"/events", "")
	got.want(t, 200)
	if kind := got.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("Content-Type %q", kind)
	}
}

func TestACutStreamIsResumedWithoutAGap(t *testing.T) {
	f := startLabs(t)
	path := f.run("count=500&wait=400")
	var events []trace.Event
	resume := ""
	ended := false
	for round := 0; !ended; round++ {
		if round > 20 {
			t.Fatal("it does not end")
		}
		// By turns as a browser comes back by itself, and as the script does.
		to, header := path+"/events", []string{}
		if resume != "" && round%2 == 0 {
			to += "?after=" + resume
		} else if resume != "" {
			header = []string{"Last-Event-ID", resume}
		}
		resume = f.stream(t.Context(), to, func(m message) bool {
			if m.name == "end" {
				ended = true
			}
			if m.name != "events" {
				return true
			}
			events = take(t, events, m)
			return round > 2 // cut after the first, three times
		}, header...)
		if resume == "" {
			resume = strconv.Itoa(len(events))
		}
	}
	if want := len(f.record(path).Log.Events()); len(events) != want {
		t.Errorf("%d events, want %d", len(events), want)
	}
	f.get(path+"/events?after=minus", "Accept", "text/event-stream").want(t, 400, "no place to go on from")
	f.get("/runs/NONE/events").want(t, 404, "There is no such run")
	// From behind the end there is nothing but the end.
	f.stream(t.Context(), path+"/events?after=99999", func(m message) bool {
		if m.name == "events" {
			t.Errorf("events after the last: %s", m.data)
		}
		return true
	})
}

// A server with a ReadTimeout must not cut those who only listen.
func TestTheReadTimeoutOfTheServerDoesNotEndAStream(t *testing.T) {
	f := startLabs(t)
	slow := httptest.NewUnstartedServer(f.handler)
	slow.Config.ReadTimeout = 100 * time.Millisecond
	slow.Start()
	defer slow.Close()
	f.URL = slow.URL
	path := f.run("wait=700")
	ended := false
	f.stream(t.Context(), path+"/events", func(m message) bool {
		ended = ended || m.name == "end"
		return true
	})
	if !ended {
		t.Error("the stream was cut")
	}
}

func TestEverybodyWatchesTheSame(t *testing.T) {
	f := startLabs(t)
	path := f.run("count=300&wait=60000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watchers sync.WaitGroup
	seen := make([][]trace.Event, 5)
	for i := range seen {
		watchers.Go(func() {
			f.stream(ctx, path+"/events", func(m message) bool {
				if m.name == "events" {
					seen[i] = take(t, seen[i], m)
				}
				return true
			})
		})
	}
	// The sixth is told of all.
	f.stream(t.Context(), path+"/events", func(m message) bool {
		return !(m.name == "status" && strings.Contains(m.data, `"watchers":6`))
	})
	f.ask("POST", path+"/stop", "")
	watchers.Wait()
	for i, events := range seen {
		if len(events) != len(f.record(path).Log.Events()) {
			t.Errorf("watcher %d saw %d events", i, len(events))
		}
	}
}

func TestARunThatNobodyWatchesAnyMoreEnds(t *testing.T) {
	f := startLabs(t, func(c *lab.Config) { c.Abandoned = time.Second })
	path := f.run("wait=60000")
	f.stream(t.Context(), path+"/events", func(m message) bool { return m.name != "events" })
	f.settled(path)
	f.get(path).want(t, 200, `data-state="abandoned"`, "nobody was watching")
}
