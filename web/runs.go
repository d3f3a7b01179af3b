package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// maxRunID bounds what is looked up as a run; ids are 26 characters.
const maxRunID = 64

func runPath(id string) string { return "/runs/" + url.PathEscape(id) }

// findRun finds the run of an id. Whatever cannot be one is not looked up.
func (s *site) findRun(id string) (*lab.Record, error) {
	if s.Labs == nil {
		return nil, errNotFound
	}
	if id == "" || len(id) > maxRunID {
		return nil, lab.ErrNoRun
	}
	return s.Labs.Get(id)
}

// run answers GET /runs/{name}: the page of a run, or with .json, .txt
// or .pcapng behind its id what it left. The mux can't tell these apart.
func (s *site) run(w http.ResponseWriter, r *http.Request) error {
	id, form, _ := strings.Cut(r.PathValue("name"), ".")
	rec, err := s.findRun(id)
	if err != nil {
		return err
	}
	switch form {
	case "":
		return s.runPage(w, r, rec)
	case "json":
		return s.runJSON(w, rec)
	case "txt":
		return s.runReport(w, rec)
	case "pcapng":
		return s.runPackets(w, rec)
	}
	return errNotFound
}

func (s *site) runJSON(w http.ResponseWriter, rec *lab.Record) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Disposition", `inline; filename="`+fileName(rec)+`.json"`)
	if err := rec.Document().Encode(w); err != nil {
		// The client is gone, as nothing else can fail; half an answer is out.
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (s *site) runPackets(w http.ResponseWriter, rec *lab.Record) error {
	var file bytes.Buffer
	if err := rec.WritePcapng(&file); err != nil {
		return err
	}
	if kept, _ := rec.Packets(); kept == 0 {
		return errNoPackets
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(rec)+`.pcapng"`)
	// The visitor may be gone; there is nobody left to tell.
	_, _ = w.Write(file.Bytes())
	return nil
}

// fileName tells runs apart without giving their ids away.
func fileName(rec *lab.Record) string {
	return "peerlab-" + rec.Lab.Slug + "-" + rec.Log.Started().UTC().Format("20060102-150405")
}

// act answers POST /runs/{id}/actions/{action}.
func (s *site) act(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRun(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Labs.Act(rec.ID, r.PathValue("action")); err != nil {
		return err
	}
	return done(w, r, runPath(rec.ID))
}

// stopRun answers POST /runs/{id}/stop.
func (s *site) stopRun(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRun(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Labs.Stop(rec.ID); err != nil {
		return err
	}
	return done(w, r, runPath(rec.ID))
}

// runPage is what the page of a run is drawn from.
type runPage struct {
	*lab.Record
	State    runState
	Links    []string
	QR       qrPath
	Again    string // the lab's page with these settings
	Commands []command
	Summary  summary
	Here     bool   // the visitor sits at this machine
	STUN     string // URLs for the visitor's browser, as JSON; empty if it can't take part
}

// command is a line for a terminal, as far as it is known now.
type command struct {
	lab.Command
	Filled, FilledNote string
	Ready              bool
}

func commandsOf(l *lab.Lab, live map[string]string) []command {
	var all []command
	for _, c := range l.Commands {
		text, ok := c.Fill(live)
		all = append(all, command{c, text, c.FillNote(live), ok})
	}
	return all
}

// runState is how a run stands; also what the stream of its events tells.
type runState struct {
	// State is running, ended, stopped, failed or abandoned.
	State string `json:"state"`
	// Why it ended, as a sentence; empty while it runs, and if it just came to its end.
	Why      string `json:"why"`
	Watchers int    `json:"watchers"`
	Dropped  uint64 `json:"dropped"`
	Packets  int    `json:"packets"`
}

func stateOf(rec *lab.Record) runState {
	outcome, why, _ := rec.Status()
	packets, _ := rec.Packets()
	st := runState{State: string(outcome), Why: why, Watchers: rec.Watchers(), Dropped: rec.Dropped(), Packets: packets}
	switch {
	case outcome == lab.Finished:
		st.State, st.Why = "ended", "" // the word says it all
	case outcome == lab.Stopped && strings.Contains(why, lab.ErrAbandoned.Error()):
		st.State = "abandoned"
	}
	return st
}

// Lasted is how long the run took, or takes already.
func (p runPage) Lasted() string {
	end := p.Log.Ended()
	if end.IsZero() {
		end = time.Now()
	}
	return fmt.Sprintf("%.1f s", end.Sub(p.Log.Started()).Seconds())
}

// OnLink tells whether the run is on the link, where nobody gets in.
func (p runPage) OnLink() bool { return p.Settings.Network == lab.Link }

// HasPackets tells whether there are packets to be had.
func (p runPage) HasPackets() bool { return p.OnLink() || p.Lab.Emulates || p.Lab.Captures }

// Views are the names of the drawings worth offering, the most telling first.
func (p runPage) Views() string {
	var names []string
	for _, v := range p.Lab.Views {
		if v != lab.Packets || p.HasPackets() {
			names = append(names, string(v))
		}
	}
	return strings.Join(names, " ")
}

// Changed lists the network and the settings that are not what they are by
// default: what to know of this run at a glance.
func (p runPage) Changed() []lab.Setting {
	return slices.DeleteFunc(p.Settings.List(), func(v lab.Setting) bool {
		return v.Name != "network" && v.Value == v.Default || v.OnLink && !p.OnLink()
	})
}

func (s *site) runPage(w http.ResponseWriter, r *http.Request, rec *lab.Record) error {
	links := s.links(r, runPath(rec.ID))
	code, err := qrCode(links[0])
	if err != nil {
		return err
	}
	again := "/labs/" + rec.Lab.Slug
	query := rec.Settings.Query()
	if q := query.Encode(); q != "" {
		again += "?" + q
	}
	view := labPage{Lab: rec.Lab, Form: newLabForm(rec.Lab, query, nil), Run: &runPage{
		Record: rec, State: stateOf(rec), Links: links, QR: code, Again: again,
		Commands: commandsOf(rec.Lab, rec.Live()), Summary: summarize(rec.Log.Events()), Here: s.local(r), STUN: s.stunFor(r, rec.Lab),
	}}
	s.renderLab(w, r, http.StatusOK, view)
	return nil
}

// savedRuns answers GET /runs: the page that replays a saved run, which never
// leaves the browser.
func (s *site) savedRuns(w http.ResponseWriter, r *http.Request) error {
	s.render(w, r, http.StatusOK, replayView(s.page(r, "Saved runs"), trace.MaxRunSize>>20))
	return nil
}
