package lab_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"peerlab/lab"
)

var lesson = fstest.MapFS{lab.LessonFile: {Data: []byte("## Idea\n")}}

func info() lab.Info {
	return lab.Info{Slug: "echo", Title: "Echo", Chapter: "TCP", Ask: "Does it come back?", Files: lesson}
}

func nothing[P any](context.Context, P, *lab.Run) error { return nil }

type flavour string

type params struct {
	Clients int           `lab:"clients" label:"Clients" default:"5" min:"1" max:"50" unit:"clients" help:"how many"`
	Share   float64       `lab:"share" label:"Share" default:"0.5" max:"1" step:"0.1"`
	Pace    time.Duration `lab:"pace" label:"Pace" default:"200" min:"0" max:"5000"`
	Idle    time.Duration `lab:"idle" label:"Idle" default:"1.5" max:"60" unit:"s"`
	Kind    flavour       `lab:"kind" label:"Kind" oneof:"naive fixed"`
	Path    string        `lab:"path" label:"Path" default:"/" maxlen:"10"`
	Loud    bool          `lab:"loud" label:"Loud" default:"true"`
}

func (p *params) Validate() error {
	if p.Clients == 13 {
		return &lab.ParamError{Field: "clients", Message: "must not be 13"}
	}
	return nil
}

// parsed runs Parse and hands back what the lab would see.
func parsed(t *testing.T, query string) (p params, s *lab.Settings, err error) {
	t.Helper()
	l, err := lab.New(info(), func(_ context.Context, got params, _ *lab.Run) error { p = got; return nil })
	if err != nil {
		t.Fatal(err)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = l.Parse(values); err != nil {
		return p, nil, err
	}
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", values)
	<-rec.Done()
	return p, s, nil
}

func TestWhatIsNotGivenHasItsDefault(t *testing.T) {
	p, s, err := parsed(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := params{5, 0.5, 200 * time.Millisecond, 1500 * time.Millisecond, "naive", "/", true}
	if p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if s.Network != lab.Loopback || s.Delay != 20*time.Millisecond || s.Queue != 100 || s.Seed != 1 || s.Common.Duration != 30*time.Second {
		t.Errorf("common %+v", s.Common)
	}
	if q := s.Query().Encode(); q != "" {
		t.Errorf("all defaults lead to the query %q", q)
	}
}

func TestARunCanBeLinkedTo(t *testing.T) {
	const query = "clients=7&delay=80ms&idle=2500ms&kind=fixed&loss=2.5&loud=false&network=link&pace=1s&path=%2Fa+b&share=.25"
	p, s, err := parsed(t, query)
	if err != nil {
		t.Fatal(err)
	}
	want := params{7, 0.25, time.Second, 2500 * time.Millisecond, "fixed", "/a b", false}
	if p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if s.Network != lab.Link || s.Link().Delay != 80*time.Millisecond || s.Link().Loss != 0.025 {
		t.Errorf("common %+v", s.Common)
	}
	const canonical = "clients=7&delay=80&idle=2.5&kind=fixed&loss=2.5&loud=false&network=link&pace=1000&path=%2Fa+b&share=0.25"
	if got := s.Query().Encode(); got != canonical {
		t.Errorf("query %q, want %q", got, canonical)
	}
	if again, _, err := parsed(t, canonical); err != nil || again != want {
		t.Errorf("the query leads to %+v, %v", again, err)
	}
}

func TestACheckboxMaySendTwoValues(t *testing.T) {
	for query, want := range map[string]bool{"loud=false": false, "loud=false&loud=true": true, "loud=on": true} {
		if p, _, err := parsed(t, query); err != nil || p.Loud != want {
			t.Errorf("%s: %v, %v", query, p.Loud, err)
		}
	}
}

func TestBadParametersAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ query, field, message string }{
		{"clients=0", "clients", "from 1 to 50 clients"},
		{"clients=51", "clients", "from 1 to 50"},
		{"clients=1e3", "clients", "whole number"},
		{"clients=", "clients", "whole number"},
		{"clients=99999999999999999999", "clients", "whole number"},
		{"clients=" + strings.Repeat("1", 100), "clients", "too long"},
		{"clients=1&clients=2", "clients", "2 times"},
		{"clients=13", "clients", "must not be 13"},
		{"share=NaN", "share", "a number"},
		{"share=Inf", "share", "a number"},
		{"share=-0.1", "share", "from 0 to 1"},
		{"pace=6s", "pace", "from 0 to 5000 ms"},
		{"pace=-1", "pace", "from 0"},
		{"pace=soon", "pace", "a number"},
		{"kind=other", "kind", "naive, fixed"},
		{"path=01234567890", "path", "10 bytes"},
		{"path=%00", "path", "control"},
		{"path=%ff", "path", "plain text"},
		{"loud=perhaps", "loud", "true or false"},
		{"network=moon", "network", "loopback, link"},
		{"loss=51", "loss", "from 0 to 50%"},
		{"duration=601", "duration", "from 1 to 600 s"},
		{"sudo=1", "sudo", "none of this lab"},
	} {
		_, _, err := parsed(t, c.query)
		bad, ok := errors.AsType[*lab.ParamError](err)
		if !ok || bad.Field != c.field || !strings.Contains(bad.Message, c.message) {
			t.Errorf("%.40s: %v; want %s: %s", c.query, err, c.field, c.message)
		}
	}
}

func TestParamsAreATableOfLimits(t *testing.T) {
	l, err := lab.New(info(), nothing[params])
	if err != nil {
		t.Fatal(err)
	}
	all := l.Params()
	if len(all) != 7+8 || all[0].Name != "clients" || all[7].Name != "network" {
		t.Fatalf("params %+v", all)
	}
	want := lab.Param{Name: "pace", Label: "Pace", Kind: lab.Duration, Default: "200", Min: "0", Max: "5000", Unit: "ms"}
	if got := all[2]; got.Name != want.Name || got.Kind != want.Kind || got.Default != want.Default ||
		got.Min != want.Min || got.Max != want.Max || got.Unit != want.Unit || got.Common {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, p := range all[7:] {
		if link := p.Name != "network" && p.Name != "duration"; !p.Common || p.OnLink != link {
			t.Errorf("%s: common %v, on link %v", p.Name, p.Common, p.OnLink)
		}
	}
}

func TestALabForOneNetworkOffersNoOther(t *testing.T) {
	i := info()
	i.Networks = []lab.Network{lab.Loopback}
	l, err := lab.New(i, nothing[struct{}])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(l.Params()); n != 2 {
		t.Errorf("%d parameters, want network and duration", n)
	}
	if _, err := l.Parse(url.Values{"network": {"link"}}); err == nil {
		t.Error("the link was accepted")
	}
	if _, err := l.Parse(url.Values{"delay": {"1"}}); err == nil {
		t.Error("a delay was accepted where there is no link")
	}
}

func TestBadTagsAreErrors(t *testing.T) {
	for want, err := range map[string]error{
		"must be a struct": made[int](),
		"lower-case words": made[struct{ A int }](),
		"is not exported":  made[struct{ a int }](),
		"has no label": made[struct {
			A int `lab:"a" max:"1"`
		}](),
		"every number needs": made[struct {
			A int `lab:"a" label:"A"`
		}](),
		"min 5 is above max 1": made[struct {
			A int `lab:"a" label:"A" min:"5" max:"1"`
		}](),
		"the default must be from 1": made[struct {
			A int `lab:"a" label:"A" min:"1" max:"2"`
		}](),
		"step \"0\"": made[struct {
			A int `lab:"a" label:"A" max:"2" step:"0"`
		}](),
		"link is all it can be": made[struct {
			A int `lab:"a" label:"A" max:"3" on:"moon"`
		}](),
		"oneof, or maxlen": made[struct {
			A string `lab:"a" label:"A"`
		}](),
		"must be one of x, y": made[struct {
			A string `lab:"a" label:"A" oneof:"x y" default:"z"`
		}](),
		"are for numbers": made[struct {
			A bool `lab:"a" label:"A" max:"1"`
		}](),
		"cannot be of type": made[struct {
			A []int `lab:"a" label:"A"`
		}](),
		"is ms or s": made[struct {
			A time.Duration `lab:"a" label:"A" max:"1" unit:"h"`
		}](),
		"a \"a\" already": made[struct {
			A int `lab:"a" label:"A" max:"1"`
			B int `lab:"a" label:"B" max:"1"`
		}](),
		"every lab has": made[struct {
			A int `lab:"delay" label:"A" max:"1"`
		}](),
	} {
		if !errors.Is(err, lab.ErrBadLab) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

func made[P any]() error {
	_, err := lab.New(info(), nothing[P])
	return err
}

func TestBadDescriptionsAreErrors(t *testing.T) {
	for want, spoil := range map[string]func(*lab.Info){
		"Slug":             func(i *lab.Info) { i.Slug = "Not A Slug" },
		"Title is missing": func(i *lab.Info) { i.Title = "" },
		"Files is missing": func(i *lab.Info) { i.Files = nil },
		"the lesson":       func(i *lab.Info) { i.Files = fstest.MapFS{} },
		"no view":          func(i *lab.Info) { i.Views = []lab.View{"hologram"} },
		"no network":       func(i *lab.Info) { i.Networks = []lab.Network{"moon"} },
		"one or both":      func(i *lab.Info) { i.Networks = []lab.Network{} },
		"action":           func(i *lab.Info) { i.Actions = []lab.Action{{Name: "x"}} },
		"Commands need": func(i *lab.Info) {
			i.Networks, i.Commands = []lab.Network{lab.Link}, []lab.Command{{Text: "nc"}}
		},
		"Duration must": func(i *lab.Info) { i.Duration = time.Hour },
	} {
		i := info()
		spoil(&i)
		_, err := lab.New(i, nothing[struct{}])
		if !errors.Is(err, lab.ErrBadLab) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if _, err := lab.New[struct{}](info(), nil); !errors.Is(err, lab.ErrBadLab) {
		t.Errorf("no function: %v", err)
	}
}

func TestCommandsAreFilledIn(t *testing.T) {
	c := lab.Command{Text: "nc {host} {naive.port}"}
	if text, ok := c.Fill(map[string]string{"host": "h"}); ok || text != "nc h {naive.port}" {
		t.Errorf("%q, %v", text, ok)
	}
	if text, ok := c.Fill(map[string]string{"host": "h", "naive.port": "1"}); !ok || text != "nc h 1" {
		t.Errorf("%q, %v", text, ok)
	}
}

func FuzzParse(f *testing.F) {
	l, err := lab.New(info(), nothing[params])
	if err != nil {
		f.Fatal(err)
	}
	f.Add("clients=7&delay=80ms&kind=fixed&loss=2.5&loud=on&network=link&path=%2Fa+b&share=.25")
	f.Add("pace=1e-9&idle=0x1p4&seed=-0&duration=1h&share=1e400")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		s, err := l.Parse(values)
		if err != nil {
			if _, ok := errors.AsType[*lab.ParamError](err); !ok {
				t.Fatalf("%v names no field", err)
			}
			return
		}
		again, err := l.Parse(s.Query())
		if err != nil {
			t.Fatalf("%s was accepted, its own query %s is not: %v", query, s.Query().Encode(), err)
		}
		if a, b := s.Query().Encode(), again.Query().Encode(); a != b {
			t.Errorf("the query of %q is not stable: %q, %q", query, a, b)
		}
	})
}
