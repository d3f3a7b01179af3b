package nattype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"peerlab/lab"
	"peerlab/nat"
)

const (
	maxMet      = 8  // participants with a column of their own
	maxVerdicts = 12 // of browsers; the rest has a row only
)

// table has a row for everybody whose behaviour is known: with whom they connect.
type table struct {
	run *lab.Run

	mu    sync.Mutex
	met   []kind            // those with a column
	names map[string]string // of browsers, by ID
}

func newTable(r *lab.Run) *table { return &table{run: r, names: map[string]string{}} }

// add writes a row, and a column if there is room for one.
func (t *table) add(name string, b nat.Behavior) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, other := range kinds() {
		t.cell(name, b, other.name, other.behavior)
	}
	place := -1
	for i, m := range t.met {
		if m.name == name {
			place = i
		}
	}
	if place < 0 && len(t.met) < maxMet {
		t.met = append(t.met, kind{name: name})
		place = len(t.met) - 1
	}
	if place >= 0 {
		t.met[place].behavior = b
	}
	for _, m := range t.met {
		if m.name == name {
			continue // nobody meets himself
		}
		t.cell(name, b, m.name, m.behavior)
		if place >= 0 {
			t.cell(m.name, m.behavior, name, b)
		}
	}
}

func (t *table) cell(row string, a nat.Behavior, column string, b nat.Behavior) {
	p := nat.Predict(a, b, true)
	value := string(p.Outcome)
	if p.Outcome == nat.Depends {
		value = "depends"
	}
	t.run.Cell(row, column, value, map[string]string{"why": p.Rule})
}

// said is what a browser tells, as static/js/net/natbehavior.js does.
type said struct {
	Mapping   string `json:"mapping"`
	Addresses int    `json:"addresses"`
}

var errSaid = errors.New("not what a browser can have measured")

// readSaid reads it, strictly: anybody with the link may have written it.
func readSaid(data []byte) (b nat.Behavior, err error) {
	var s said
	read := json.NewDecoder(bytes.NewReader(data))
	read.DisallowUnknownFields()
	if err := read.Decode(&s); err != nil {
		return b, fmt.Errorf("%w: %w", errSaid, err)
	}
	if _, err := read.Token(); !errors.Is(err, io.EOF) || s.Addresses < 0 || s.Addresses > 64 {
		return b, errSaid
	}
	switch s.Mapping {
	case "none":
		return nat.Behavior{Mapping: nat.EndpointIndependent}, nil
	case "not-port-dependent":
		return nat.Behavior{Translated: true, Mapping: nat.NotPortDependent}, nil
	case "address-and-port-dependent":
		return nat.Behavior{Translated: true, Mapping: nat.AddressAndPortDependent}, nil
	case "udp-blocked":
		return nat.Behavior{Blocked: true}, nil
	case "unknown":
		return nat.Behavior{}, nil
	}
	return b, errSaid
}

// visit takes what a visitor's browser has measured.
func (t *table) visit(v lab.Visit) {
	b, err := readSaid(v.Data)
	if err != nil {
		t.run.Note("%s told what no browser measures: left out.", v.ID)
		return
	}
	name, known := t.names[v.ID]
	if !known {
		name = v.ID
		if v.Name != "" {
			name = fmt.Sprintf("%s (%s)", v.Name, v.ID)
		}
		if len(t.names) == 0 {
			t.run.Note("A browser hears only those whom it has asked: whom a NAT lets in besides can't be told from there.")
		}
		t.names[v.ID] = name
	}
	t.add(name, b)
	if len(t.names) <= maxVerdicts {
		tone, means := light(b)
		t.run.Variant(v.ID).Verdict(tone, "%s, by its own measurement: %s. %s", name, b.Kind(), means)
	}
}
