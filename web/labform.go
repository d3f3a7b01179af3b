package web

import (
	"net/url"
	"strconv"
	"strings"

	"peerlab/lab"
)

// maxShown bounds what of a refused value is shown again.
const maxShown = 300

// labForm is the form of a lab, filled in.
type labForm struct {
	// Own are the lab's own parameters, Network the choice every lab has, Link
	// those that matter on the emulated link only, Rest the others.
	Own, Rest, Link []formField
	Network         *formField
	// Problem names what was refused. It may be about no field of the form.
	Problem *lab.ParamError
	label   string
}

// formField is a parameter with what stands in its field.
type formField struct {
	lab.Param
	Value   string
	Problem string
}

func newLabForm(l *lab.Lab, values url.Values, bad *lab.ParamError) labForm {
	form := labForm{Problem: bad}
	if bad != nil {
		form.label = labelOf(l, bad.Field)
	}
	for _, p := range l.Params() {
		f := formField{Param: p, Value: p.Default}
		if sent := values[p.Name]; len(sent) > 0 {
			f.Value = clip(sent[len(sent)-1], maxShown)
		}
		if bad != nil && bad.Field == p.Name {
			f.Problem = sentence(bad.Message)
		}
		switch {
		case p.Name == "network":
			form.Network = &f
		case p.OnLink && p.Common:
			form.Link = append(form.Link, f)
		case p.Common:
			form.Rest = append(form.Rest, f)
		default:
			form.Own = append(form.Own, f)
		}
	}
	return form
}

// labelOf is a parameter's name for people.
func labelOf(l *lab.Lab, name string) string {
	for _, p := range l.Params() {
		if p.Name == name {
			return p.Label
		}
	}
	if name == lab.FileField && l.Upload != nil {
		return l.Upload.Label
	}
	return "“" + clip(name, 40) + "”"
}

// Sentence says what was refused, the field named.
func (f labForm) Sentence() string {
	if f.Problem == nil {
		return ""
	}
	return sentence(f.label + " " + f.Problem.Message)
}

// HasField tells whether the problem is about a field that can be gone to.
func (f labForm) HasField() bool {
	for _, list := range [][]formField{f.Own, f.Rest, f.Link} {
		for _, field := range list {
			if field.Problem != "" {
				return true
			}
		}
	}
	return f.Network != nil && f.Network.Problem != ""
}

// ID is of the field in the page.
func (f formField) ID() string { return "param-" + f.Name }

// Describedby names what says more about the field.
func (f formField) Describedby() string {
	var ids []string
	if f.Help != "" {
		ids = append(ids, f.ID()+"-help")
	}
	if f.Problem != "" {
		ids = append(ids, f.ID()+"-problem")
	}
	return strings.Join(ids, " ")
}

// Stepping is the step of the field as HTML knows it.
func (f formField) Stepping() string {
	if f.Step == "" {
		return "any"
	}
	return f.Step
}

// SliderStep divides the range where no step is told.
func (f formField) SliderStep() string {
	if f.Step != "" {
		return f.Step
	}
	low, err1 := strconv.ParseFloat(f.Min, 64)
	high, err2 := strconv.ParseFloat(f.Max, 64)
	if err1 != nil || err2 != nil || high-low >= 100 {
		return "1"
	}
	return strconv.FormatFloat((high-low)/100, 'g', 3, 64)
}

// Few tells whether the choices fit side by side.
func (f formField) Few() bool { return len(strings.Join(f.OneOf, "   ")) <= 32 }

// bounds is a parameter's limits in words.
func bounds(p lab.Param) string {
	unit := ""
	if p.Unit != "" {
		unit = " " + p.Unit
	}
	switch p.Kind {
	case lab.Bool:
		return "on or off"
	case lab.Choice:
		return strings.Join(p.OneOf, ", ")
	case lab.Text:
		return "at most " + strconv.Itoa(p.MaxLen) + " bytes"
	}
	return p.Min + " to " + p.Max + unit
}

// settingText is a value with its unit, as a person reads it.
func settingText(p lab.Param, value string) string {
	switch {
	case p.Kind == lab.Bool && value == "true":
		return "on"
	case p.Kind == lab.Bool:
		return "off"
	case p.Kind == lab.Text && value == "":
		return "empty"
	case p.Unit != "":
		return value + " " + p.Unit
	}
	return value
}
