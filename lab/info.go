package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"time"
)

// LessonFile is the lesson in Info.Files.
const LessonFile = "lab.md"

// DefaultDuration is how long a run of a lab lasts at most unless its Info or
// whoever starts it says otherwise.
const DefaultDuration = 30 * time.Second

// Info describes a lab.
type Info struct {
	// Slug is the name in URLs, and of the folder: lower case, digits, dashes.
	Slug string
	// Title, a few words; Chapter, the heading it is listed under; Ask, the
	// question it answers, as a sentence with a question mark.
	Title, Chapter, Ask string
	// Question is the number of the question in the list of topics.
	Question int
	// Files holds lab.md and the Go source its lesson shows: an embed.FS.
	Files fs.FS
	// Views are the drawings worth showing, the most telling one first. Facts
	// are always shown. The packet list is offered on the link only.
	Views []View
	// Actions are the buttons offered while it runs; the run receives their
	// names from Run.Actions.
	Actions []Action
	// Visitor, if not empty, lets browsers of visitors take part: a button on the
	// page of a run has the module js/visitor/<Visitor>.js measure something, and
	// the run receives that from Run.Visits. Lower case, digits, dashes.
	Visitor string
	// Commands are what to type in a terminal to take part. They need the
	// loopback: the emulated link has no way in.
	Commands []Command
	// Networks it can run on; nil: Loopback and Link. The first is the default.
	Networks []Network
	// Duration is the default of the cap on time; 0: DefaultDuration.
	Duration time.Duration
	// Upload, if not nil, is a file that a visitor may send along; the run has it
	// from Run.File.
	Upload *Upload
	// Captures tells that a run may have packets from elsewhere than an emulated
	// link (see Run.Captured), whichever network is chosen.
	Captures bool
	// Emulates tells that a part of every run is on an emulated link, whichever
	// network is chosen (see Run.VariantOnLink): the parameters of the link
	// count and there are packets on both.
	Emulates bool
	// Prefix is the network of the emulated hosts, an IPv4 /24, where addresses
	// that look private would mislead. Not valid: 10.77.0.0/24.
	Prefix netip.Prefix
	// Defaults are for parameters every lab has where this lab needs others,
	// as the form writes them: {"delay": "80"}.
	Defaults map[string]string
	// Outside lets its hosts on the loopback dial what the Runner's outside
	// dialer allows, besides the run's own listeners.
	Outside bool
}

// View is one way to draw a run.
type View string

// The views.
const (
	Lanes     View = "lanes"     // messages between lanes, top down: a sequence diagram
	Waterfall View = "waterfall" // spans
	Chart     View = "chart"     // samples
	State     View = "state"     // states, a live table a lane
	Packets   View = "packets"   // messages with what was decoded of them
	LogLines  View = "log"       // notes
	Matrix    View = "matrix"    // the cells of Run.Cell, a table
	Document  View = "document"  // the lines of Run.Line, with what they mean
)

var views = []View{Lanes, Waterfall, Chart, State, Packets, LogLines, Matrix, Document}

// Network is what lies between the hosts of a run.
type Network string

const (
	// Loopback is this machine's own: real sockets, nothing emulated, no
	// packets to be seen, and other programs can connect.
	Loopback Network = "loopback"
	// Link is an emulated network (package netsim) with real TCP and UDP on
	// it; every packet is kept.
	Link Network = "link"
)

// Action is something a person can do to a run while it goes on.
type Action struct {
	// Name is what the run receives: lower case, digits, dashes.
	Name string
	// Label is on the button; Help says what happens.
	Label, Help string
}

// Command is a line for a terminal.
type Command struct {
	// Text with {name} in place of what Run.Live publishes under that name:
	// "nc {host} {port}".
	Text string
	// Note says what to look for, or to type next; it may have the same placeholders.
	Note string
}

// Placeholder finds the {name}s of a Command.
var placeholder = regexp.MustCompile(`\{([a-z0-9-]+(?:\.[a-z0-9-]+)?)\}`)

// Fill is the text with live values in place of the placeholders. ok is false
// while one of them has none yet.
func (c Command) Fill(live map[string]string) (text string, ok bool) { return fill(c.Text, live) }

// FillNote is the note with live values in place of the placeholders.
func (c Command) FillNote(live map[string]string) string {
	note, _ := fill(c.Note, live)
	return note
}

func fill(text string, live map[string]string) (filled string, ok bool) {
	ok = true
	filled = placeholder.ReplaceAllStringFunc(text, func(m string) string {
		value, known := live[m[1:len(m)-1]]
		if !known {
			ok = false
			return m
		}
		return value
	})
	return filled, ok
}

// Lab is a lab that can be run. It is made by New and never changes.
type Lab struct {
	Info
	own    fields // of P
	common fields // of Common
	zero   func() reflect.Value
	run    func(ctx context.Context, p reflect.Value, r *Run) error
}

// ErrBadLab is wrapped by every error of New.
var ErrBadLab = errors.New("lab: bad description")

// New makes a lab from its description and the function that runs it.
//
// P is a struct whose exported fields are the parameters, declared by tags
// (see Param). Fields without a lab tag are an error, as is everything else
// that would only show when somebody fills in the form. If *P has a method
// Validate() error, or ValidateOn(Network) error, it judges the parameters
// together; it should return a *ParamError.
//
// The function runs the lab once and returns when it is over or ctx ends. An
// error it returns after ctx has ended is taken for a consequence of that.
func New[P any](info Info, run func(ctx context.Context, p P, r *Run) error) (*Lab, error) {
	bad := func(format string, args ...any) (*Lab, error) {
		return nil, fmt.Errorf("%w %q: %w", ErrBadLab, info.Slug, fmt.Errorf(format, args...))
	}
	if run == nil {
		return bad("no function to run")
	}
	if info.Networks == nil {
		info.Networks = []Network{Loopback, Link}
	}
	if info.Duration == 0 {
		info.Duration = DefaultDuration
	}
	if err := info.validate(); err != nil {
		return bad("%w", err)
	}
	own, err := fieldsOf(reflect.TypeFor[P]())
	if err != nil {
		return bad("%w", err)
	}
	common, err := commonFields(info)
	if err != nil {
		return bad("%w", err)
	}
	for _, f := range own {
		if common.find(f.Name) != nil {
			return bad("parameter %q is one that every lab has", f.Name)
		}
	}
	return &Lab{
		Info: info, own: own, common: common,
		zero: func() reflect.Value { return reflect.New(reflect.TypeFor[P]()) },
		run: func(ctx context.Context, p reflect.Value, r *Run) error {
			return run(ctx, *p.Interface().(*P), r)
		},
	}, nil
}

// Params lists the parameters in the order of the form: the lab's own, then
// the ones every lab has.
func (l *Lab) Params() []Param {
	var all []Param
	for _, f := range slices.Concat(l.own, l.common) {
		all = append(all, f.Param)
	}
	return all
}

// Runs tells whether the lab can run on that network.
func (l *Lab) Runs(on Network) bool { return slices.Contains(l.Networks, on) }

// FileField is the name under which a form or a refusal knows the file of Info.Upload.
const FileField = "file"

// takes tells whether a file may come along.
func (l *Lab) takes(f *File) error {
	switch {
	case f == nil:
		return nil
	case l.Upload == nil:
		return &ParamError{FileField, "is none of this lab"}
	case len(f.Data) > l.Upload.Max:
		return &ParamError{FileField, fmt.Sprintf("must be at most %d KiB", l.Upload.Max>>10)}
	}
	return nil
}

// action finds an action by its name.
func (l *Lab) action(name string) (Action, bool) {
	for _, a := range l.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (i *Info) validate() error {
	for name, text := range map[string]string{"Title": i.Title, "Chapter": i.Chapter, "Ask": i.Ask} {
		if text == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if !slug.MatchString(i.Slug) {
		return errors.New("Slug must be lower-case words joined by dashes")
	}
	if i.Files == nil {
		return errors.New("Files is missing")
	}
	if _, err := fs.Stat(i.Files, LessonFile); err != nil {
		return fmt.Errorf("the lesson: %w", err)
	}
	for _, v := range i.Views {
		if !slices.Contains(views, v) {
			return fmt.Errorf("no view %q", v)
		}
	}
	seen := map[string]bool{}
	for _, a := range i.Actions {
		if !slug.MatchString(a.Name) || a.Label == "" || seen[a.Name] {
			return fmt.Errorf("action %q needs a name of its own, in lower case, and a label", a.Name)
		}
		seen[a.Name] = true
	}
	if i.Visitor != "" && !slug.MatchString(i.Visitor) {
		return fmt.Errorf("no module can be named %q: Visitor is lower-case words joined by dashes", i.Visitor)
	}
	if u := i.Upload; u != nil && (u.Label == "" || u.Max < 1 || u.Max > MaxUpload) {
		return fmt.Errorf("Upload needs a label, and a Max of up to %d bytes", MaxUpload)
	}
	for _, n := range i.Networks {
		if n != Loopback && n != Link {
			return fmt.Errorf("no network %q", n)
		}
	}
	if len(i.Networks) == 0 || len(i.Networks) > 2 {
		return errors.New("Networks must name one or both of loopback and link")
	}
	if len(i.Commands) > 0 && !slices.Contains(i.Networks, Loopback) {
		return errors.New("Commands need the loopback network")
	}
	if i.Duration < time.Second || i.Duration > MaxDuration {
		return fmt.Errorf("Duration must be from 1s to %s", MaxDuration)
	}
	return nil
}
