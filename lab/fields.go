package lab

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// field is a parameter and the struct field its value goes to.
type field struct {
	Param
	index    int
	min, max float64 // of numbers; of durations in their unit
	unit     time.Duration
}

type fields []field

func (fs fields) find(name string) *field {
	for i := range fs {
		if fs[i].Name == name {
			return &fs[i]
		}
	}
	return nil
}

// fieldsOf reads the tags of a struct type.
func fieldsOf(t reflect.Type) (fields, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("parameters must be a struct, not %s", t)
	}
	var all fields
	for i := range t.NumField() {
		sf := t.Field(i)
		f, err := fieldOf(sf)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", sf.Name, err)
		}
		if all.find(f.Name) != nil {
			return nil, fmt.Errorf("field %s: there is a %q already", sf.Name, f.Name)
		}
		f.index = i
		all = append(all, f)
	}
	return all, nil
}

func fieldOf(sf reflect.StructField) (field, error) {
	tag := sf.Tag.Get
	f := field{Param: Param{
		Name: tag("lab"), Label: tag("label"), Help: tag("help"), Unit: tag("unit"), Default: tag("default"),
		Min: tag("min"), Max: tag("max"), Step: tag("step"), OneOf: strings.Fields(tag("oneof")),
	}}
	on := tag("on")
	f.OnLink = on == string(Link)
	switch {
	case on != "" && !f.OnLink:
		return f, fmt.Errorf("the on tag is %q: link is all it can be", on)
	case !sf.IsExported():
		return f, errors.New("is not exported")
	case !slug.MatchString(f.Name):
		return f, fmt.Errorf("the lab tag %q must be lower-case words joined by dashes", f.Name)
	case f.Label == "":
		return f, errors.New("has no label")
	}
	var err error
	switch {
	case sf.Type == reflect.TypeFor[time.Duration]():
		f.Kind = Duration
		f.Unit, f.unit, err = unitOf(f.Unit)
	case sf.Type.Kind() == reflect.Int:
		f.Kind = Int
	case sf.Type.Kind() == reflect.Float64:
		f.Kind = Float
	case sf.Type.Kind() == reflect.Bool:
		f.Kind = Bool
	case sf.Type.Kind() == reflect.String && len(f.OneOf) > 0:
		f.Kind = Choice
	case sf.Type.Kind() == reflect.String:
		f.Kind = Text
		if f.MaxLen, err = strconv.Atoi(tag("maxlen")); err != nil || f.MaxLen < 1 {
			return f, errors.New("a string needs oneof, or maxlen in bytes")
		}
	default:
		return f, fmt.Errorf("cannot be of type %s", sf.Type)
	}
	if err == nil {
		err = f.bound()
	}
	if err != nil {
		return f, err
	}
	// The default has to pass like any other value.
	v := reflect.New(sf.Type).Elem()
	if f.Default, err = f.set(v, f.Default); err != nil {
		return f, fmt.Errorf("the default %w", err)
	}
	return f, nil
}

func unitOf(name string) (string, time.Duration, error) {
	switch name {
	case "", "ms":
		return "ms", time.Millisecond, nil
	case "s":
		return "s", time.Second, nil
	}
	return "", 0, fmt.Errorf("the unit of a duration is ms or s, not %q", name)
}

// bound works out min, max and step of a number, and fills in what was left
// to its default.
func (f *field) bound() (err error) {
	switch f.Kind {
	case Bool, Choice, Text:
		if f.Min+f.Max+f.Step != "" {
			return errors.New("min, max and step are for numbers")
		}
		switch {
		case f.Default != "":
		case f.Kind == Bool:
			f.Default = "false"
		case f.Kind == Choice:
			f.Default = f.OneOf[0]
		}
		return nil
	}
	if f.Min == "" {
		f.Min = "0"
	}
	if f.Step == "" && f.Kind == Int {
		f.Step = "1"
	}
	if f.Default == "" {
		f.Default = "0"
	}
	if f.min, err = strconv.ParseFloat(f.Min, 64); err != nil {
		return fmt.Errorf("min: %w", err)
	}
	if f.max, err = strconv.ParseFloat(f.Max, 64); err != nil {
		return fmt.Errorf("max, which every number needs: %w", err)
	}
	if step, err := strconv.ParseFloat(cmp.Or(f.Step, "1"), 64); err != nil || step <= 0 {
		return fmt.Errorf("step %q is not a number above 0", f.Step)
	}
	if f.min > f.max || math.IsNaN(f.min+f.max) {
		return fmt.Errorf("min %s is above max %s", f.Min, f.Max)
	}
	return nil
}

// read sets the fields of a struct from values and notes in written how each
// value is written.
func (fs fields) read(to reflect.Value, values url.Values, written map[string]string) error {
	for i := range fs {
		f := &fs[i]
		text, err := f.from(values[f.Name])
		if err == nil {
			written[f.Name], err = f.set(to.Field(f.index), text)
		}
		if err != nil {
			return &ParamError{Field: f.Name, Message: err.Error()}
		}
	}
	return nil
}

// from picks the one value sent for f. A checkbox may come with a hidden field
// of the same name before it, since browsers do not send an empty one.
func (f *field) from(sent []string) (string, error) {
	switch {
	case len(sent) == 0:
		return f.Default, nil
	case len(sent) == 1, f.Kind == Bool && len(sent) == 2:
		return sent[len(sent)-1], nil
	}
	return "", fmt.Errorf("is given %d times", len(sent))
}

// set parses text into v and returns how the form would have written it.
func (f *field) set(v reflect.Value, text string) (written string, err error) {
	switch f.Kind {
	case Bool:
		if err := f.setBool(v, text); err != nil {
			return "", err
		}
		return strconv.FormatBool(v.Bool()), nil
	case Choice:
		if !slices.Contains(f.OneOf, text) {
			return "", fmt.Errorf("must be one of %s", strings.Join(f.OneOf, ", "))
		}
		v.SetString(text)
		return text, nil
	case Text:
		if len(text) > f.MaxLen {
			return "", fmt.Errorf("must be at most %d bytes long", f.MaxLen)
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return "", errors.New("must be plain text without control characters")
		}
		v.SetString(text)
		return text, nil
	}
	n, err := f.number(strings.TrimSpace(text))
	if err != nil {
		return "", err
	}
	if n < f.min || n > f.max {
		return "", fmt.Errorf("must be from %s to %s%s", f.Min, f.Max, withSpace(f.Unit))
	}
	switch f.Kind {
	case Int:
		v.SetInt(int64(n))
	case Float:
		v.SetFloat(n)
	case Duration:
		v.SetInt(int64(math.Round(n * float64(f.unit))))
	}
	return strconv.FormatFloat(n, 'f', -1, 64), nil
}

func (f *field) setBool(v reflect.Value, text string) error {
	switch text {
	case "true", "on": // a checkbox without a value sends "on"
		v.SetBool(true)
	case "false":
		v.SetBool(false)
	default:
		return errors.New("must be true or false")
	}
	return nil
}

// number reads a number of f's unit.
func (f *field) number(text string) (float64, error) {
	if len(text) > 32 {
		return 0, errors.New("is too long for a number")
	}
	if f.Kind == Int {
		n, err := strconv.ParseInt(text, 10, 53) // what a float64 holds exactly
		if err != nil {
			return 0, errors.New("must be a whole number")
		}
		return float64(n), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && f.Kind == Duration {
		d, derr := time.ParseDuration(text)
		n, err = float64(d)/float64(f.unit), derr
	}
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errors.New("must be a number")
	}
	return n, nil
}

func withSpace(unit string) string {
	if unit == "" || unit == "%" {
		return unit
	}
	return " " + unit
}

// commonFields are the parameters every lab has, as far as they make sense for
// this one.
func commonFields(info Info) (fields, error) {
	all, err := fieldsOf(reflect.TypeFor[Common]())
	if err != nil {
		return nil, err
	}
	var out fields
	for _, f := range all {
		f.Common = true
		switch f.Name {
		case "network":
			f.OneOf = nil
			for _, n := range info.Networks {
				f.OneOf = append(f.OneOf, string(n))
			}
			f.Default = f.OneOf[0]
		case "duration":
			f.max = MaxDuration.Seconds()
			f.Max = strconv.FormatFloat(f.max, 'f', -1, 64)
			f.Default = strconv.FormatFloat(info.Duration.Seconds(), 'f', -1, 64)
		default:
			f.OnLink = !info.Emulates
			if !slices.Contains(info.Networks, Link) {
				continue
			}
		}
		out = append(out, f)
	}
	return out, out.defaults(reflect.TypeFor[Common](), info.Defaults)
}

// defaults replaces defaults of the fields of a struct type. They have to pass
// like any other value.
func (fs fields) defaults(of reflect.Type, texts map[string]string) error {
	for name, text := range texts {
		f := fs.find(name)
		if f == nil {
			return fmt.Errorf("Defaults: %q is not a parameter every lab has", name)
		}
		written, err := f.set(reflect.New(of).Elem().Field(f.index), text)
		if err != nil {
			return fmt.Errorf("Defaults: %s %w", name, err)
		}
		f.Default = written
	}
	return nil
}
