package web_test

import (
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/trace"
)

// Without script, a run that has ended tells its results, notes and messages.
func TestAnEndedRunCanBeRead(t *testing.T) {
	f := startLabs(t)
	path := f.run("count=300&words=hello&network=loopback")
	f.settled(path)
	page := f.get(path)
	page.want(t, 200, `data-state="ended"`, "time &lt;taken&gt;", "<dt>naive</dt>", "<dd>12.5 ms</dd>", "All sent.", "message hello",
		"The first 200 of 300; all are in the JSON.", `href="`+path+`.json"`, `href="/labs/probe?count=300&amp;words=hello"`,
		"Messages <strong>300</strong>", "nc 127.0.0.1 4242", `data-ready="true"`, "nc {nowhere}", `data-ready="false"`,
		"http://192.0.2.7:8080"+path, path+"?view=projector", "tok-keyword", `data-views="lanes chart"`)
	if strings.Contains(page.body, "1234.5") || strings.Contains(page.body, ".pcapng") {
		t.Error("a replaced fact is shown, or packets are offered on the loopback")
	}
	if n := strings.Count(page.body, "<td>client</td>"); n != 200 {
		t.Errorf("%d messages are shown, want 200", n)
	}
	f.get(path+"?view=projector").want(t, 200, `data-view="projector"`)
}

func TestHowARunStands(t *testing.T) {
	f := startLabs(t)
	failed := f.run("how=badly")
	f.settled(failed)
	f.get(failed).want(t, 200, `data-state="failed"`, "Failed: connection refused by &lt;somebody&gt;.")
	running := f.run("wait=60000")
	f.get(running).want(t, 200, `data-state="running"`, `action="`+running+`/stop"`, `action="`+running+`/actions/more"`, "So far.")
	if got := f.ask("POST", running+"/stop", ""); got.StatusCode != 303 || got.Header.Get("Location") != running {
		t.Errorf("stop: %d", got.StatusCode)
	}
	f.settled(running)
	f.get(running).want(t, 200, `data-state="stopped"`, "Stopped: by hand.")
	f.ask("POST", running+"/stop", "").want(t, 303)
	link := f.run("network=link&packet=true")
	f.settled(link)
	f.get(link).want(t, 200, "Delay", `data-views="lanes chart packets"`, link+".pcapng", "On the loopback these work.")
}

func TestActions(t *testing.T) {
	f := startLabs(t)
	path := f.run("wait=60000")
	f.ask("POST", path+"/actions/more", "", "Accept", "application/json").want(t, 202, `"ok":true`)
	if got := f.ask("POST", path+"/actions/more", ""); got.StatusCode != 303 || got.Header.Get("Location") != path {
		t.Errorf("action: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	taken := 0
	for e := range f.record(path).Log.Read(t.Context(), 0) {
		if e.Name == "one more" {
			taken++
		}
		if taken == 2 {
			break
		}
	}
	f.ask("POST", path+"/actions/less", "").want(t, 404, "There is no such action")
	f.ask("POST", "/runs/NONE/actions/more", "").want(t, 404, "There is no such run")
	f.ask("POST", "/runs/NONE/stop", "").want(t, 404, "There is no such run")
	f.ask("POST", path+"/stop", "", "Accept", "application/json").want(t, 202)
	f.settled(path)
	f.ask("POST", path+"/actions/more", "").want(t, 409, "The run is over")
	f.get(path+"/stop").want(t, 405)
}

func TestActionsAreOurPagesAlone(t *testing.T) {
	f := startLabs(t)
	path := f.run("wait=60000")
	for _, to := range []string{"/labs/probe/runs", path + "/stop", path + "/actions/more"} {
		f.ask("POST", to, "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").want(t, 403, "sent by another site")
	}
	if state, _, _ := f.record(path).Status(); state != lab.Running || len(f.runner.Runs()) != 1 {
		t.Error("a page of another site had its way")
	}
	f.get(path, "Host", "evil.example").want(t, 421)
}

func TestSavedRun(t *testing.T) {
	f := startLabs(t)
	path := f.run("count=5&wait=60000&network=link&packet=true&delay=1")
	for e := range f.record(path).Log.Read(t.Context(), 0) {
		if e.Text == "All sent." {
			break
		}
	}
	for range 2 { // while it goes on, and when it is over
		got := f.get(path + ".json")
		got.want(t, 200)
		run, err := trace.Decode(strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		if run.Lab != "probe" || run.Params["count"] != 5.0 || run.Network["delay"] != 1.0 || "/runs/"+run.ID != path {
			t.Errorf("%s %v %v", run.Lab, run.Params, run.Network)
		}
		packets := f.get(path + ".pcapng")
		packets.want(t, 200, "\x0a\x0d\x0d\x0a")
		if d := packets.Header.Get("Content-Disposition"); !strings.Contains(d, "attachment") || strings.Contains(d, run.ID) {
			t.Errorf("Content-Disposition %q", d)
		}
		f.ask("POST", path+"/stop", "")
		f.settled(path)
	}
	loopback := f.run("")
	f.settled(loopback)
	f.get(loopback+".pcapng").want(t, 404, "This run has no packets", "set to link")
	for _, other := range []string{loopback + ".csv", loopback + ".json.gz", "/runs/.json", "/runs/NONE.json", "/runs/" + strings.Repeat("A", 500)} {
		f.get(other).want(t, 404)
	}
}

func TestRunsAreNotListed(t *testing.T) {
	f := startLabs(t)
	path := f.run("wait=60000")
	id := strings.TrimPrefix(path, "/runs/")
	for _, page := range []string{"/", "/runs", "/labs/probe", "/status", "/metrics", "/api/status"} {
		if got := f.get(page); got.StatusCode != 200 || strings.Contains(got.body, id) {
			t.Errorf("%s: status %d, or it tells the id of a run", page, got.StatusCode)
		}
	}
	if strings.Contains(f.log.String(), id) {
		t.Error("the id of a run is in the log")
	}
	policy := f.get(path).Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}
