package lab

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Kind is what the value of a parameter is, and so which field the form has.
type Kind string

// The kinds. Numbers are written in decimal; a duration is written as a number
// of its unit ("80" where the unit is ms) or in Go's form ("80ms").
const (
	Int      Kind = "int"
	Float    Kind = "float"
	Bool     Kind = "bool"     // "true" or "false"
	Choice   Kind = "choice"   // one of OneOf
	Text     Kind = "text"     // at most MaxLen bytes, no control characters
	Duration Kind = "duration" // Unit is "ms" or "s"
)

// Param is one parameter of a lab, declared by a field of its struct:
//
//	Clients int           `lab:"clients" label:"Clients" default:"5" min:"1" max:"50" help:"how many connect"`
//	Pace    time.Duration `lab:"pace" label:"Pace" default:"200" min:"0" max:"5000" step:"50" unit:"ms"`
//	Variant string        `lab:"variant" label:"Server" default:"both" oneof:"both naive fixed"`
//	Path    string        `lab:"path" label:"Path" default:"/" maxlen:"200"`
//	Verbose bool          `lab:"verbose" label:"Every byte" default:"false"`
//
// Field types are int, float64, bool, string (or a type made of one of these)
// and time.Duration. Every number has a max, and a min which is 0 if not told;
// every string has either oneof or maxlen. What means nothing on the loopback is
// marked on:"link". A default not told is the zero
// value, of oneof the first; it has to be within the bounds.
type Param struct {
	// Name is the key in the form and the query. Label is for people, Help a
	// sentence more.
	Name, Label, Help string
	Kind              Kind
	// Default, Min, Max and Step are written as the form writes values. The
	// last three are empty for what is not a number.
	Default, Min, Max, Step string
	// Unit of a number: "ms", "%", "kbit/s", "clients".
	Unit   string
	MaxLen int
	OneOf  []string
	// Common is set on those every lab has; OnLink on those that mean nothing
	// on the loopback.
	Common, OnLink bool
}

// MaxDuration is the most any run may last.
const MaxDuration = 10 * time.Minute

// Common are the parameters every lab has.
type Common struct {
	Network  Network       `lab:"network" label:"Network" oneof:"loopback link" help:"loopback: this machine, so that other programs can join in; link: an emulated network, every packet shown"`
	Delay    time.Duration `lab:"delay" label:"Delay" default:"20" max:"2000" unit:"ms" help:"each way"`
	Jitter   time.Duration `lab:"jitter" label:"Jitter" default:"0" max:"1000" unit:"ms" help:"varies the delay by up to this much"`
	Loss     float64       `lab:"loss" label:"Loss" default:"0" max:"50" step:"0.1" unit:"%" help:"of packets, each way, at random"`
	Rate     int           `lab:"rate" label:"Rate" default:"0" max:"1000000" unit:"kbit/s" help:"each way; 0: unlimited"`
	Queue    int           `lab:"queue" label:"Queue" default:"100" min:"1" max:"10000" unit:"packets" help:"that wait for the rate; more are lost"`
	Seed     int           `lab:"seed" label:"Seed" default:"1" max:"2147483647" help:"of the random losses: the same seed, the same luck"`
	Duration time.Duration `lab:"duration" label:"At most" default:"30" min:"1" max:"600" unit:"s" help:"then the run is ended"`
}

// ParamError says which parameter was refused and why. The message is a
// sentence without the name, for a person: "must be from 1 to 50".
type ParamError struct{ Field, Message string }

func (e *ParamError) Error() string { return fmt.Sprintf("parameter %q %s", e.Field, e.Message) }

// Settings are the parameters of one run: complete, parsed and within bounds.
type Settings struct {
	Common
	lab    *Lab
	own    reflect.Value     // a *P
	values map[string]string // as they are written, by name
}

// Setting is one parameter with the value it has in a run, as it is written.
type Setting struct {
	Param
	Value string
}

// Parse reads the parameters of a run from a form or query. What is not there
// has its default. The error is a *ParamError for the first parameter, in the
// order of the form, that is not as it should be, or for one the lab has not.
func (l *Lab) Parse(values url.Values) (*Settings, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if l.own.find(name) == nil && l.common.find(name) == nil {
			return nil, &ParamError{Field: clip(name, 40), Message: "is none of this lab"}
		}
	}
	s := &Settings{lab: l, values: map[string]string{}}
	own := l.zero()
	if err := l.own.read(own.Elem(), values, s.values); err != nil {
		return nil, err
	}
	if err := l.common.read(reflect.ValueOf(&s.Common).Elem(), values, s.values); err != nil {
		return nil, err
	}
	var err error
	switch v := own.Interface().(type) {
	case interface{ Validate() error }:
		err = v.Validate()
	case interface{ ValidateOn(Network) error }:
		err = v.ValidateOn(s.Network)
	}
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	s.own = own
	return s, nil
}

// List returns every parameter with its value, in the order of the form.
func (s *Settings) List() []Setting {
	var all []Setting
	for _, p := range s.lab.Params() {
		all = append(all, Setting{p, s.values[p.Name]})
	}
	return all
}

// Query is the query string that leads to a form filled with these settings.
// Parameters that have their default are left out.
func (s *Settings) Query() url.Values {
	q := url.Values{}
	for _, v := range s.List() {
		if v.Value != v.Default {
			q.Set(v.Name, v.Value)
		}
	}
	return q
}

// json is the value as the type it has.
func (s Setting) json() any {
	switch s.Kind {
	case Int, Float, Duration:
		n, err := strconv.ParseFloat(s.Value, 64)
		if err == nil {
			return n
		}
	case Bool:
		return s.Value == "true"
	}
	return s.Value
}
