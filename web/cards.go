package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Tone is what a card's mark says at a glance, beside its words.
type Tone string

const (
	ToneGood Tone = "good"
	ToneBusy Tone = "busy"
	ToneWarn Tone = "warn"
	ToneBad  Tone = "bad"
	ToneIdle Tone = "idle"
)

// Card is one of the four live cards in words. A page that is open fetches
// itself again and takes over what changed, so this is the only wording.
type Card struct {
	ID    string
	Title string
	Tone  Tone
	// State in a word or two.
	State string
	// Lead is the one thing to know, big.
	Lead string
	// Text is a sentence under it.
	Text string
	Rows []Row
	// Action is a button for those who may press it.
	Action *Action
}

// Row is a label and a value with its unit.
type Row struct {
	Label string
	Value string
}

// Action is a form with one button.
type Action struct {
	Label string
	Path  string
	// On is the value of the field "on", for a switch.
	On   string
	Busy bool
}

func (s *site) cards(r *http.Request, status Status) []Card {
	cards := []Card{relayCard(status.Relay), mappingCard(status.Mapping), natCard(status.NAT), roomsCard(status.Rooms)}
	if !s.local(r) {
		return cards
	}
	if s.MapPorts != nil {
		cards[1].Action = mapAction(status.Mapping)
	}
	if s.CheckNAT != nil {
		cards[2].Action = &Action{Label: "Check now", Path: "/nat/check", Busy: status.NAT.State == NATChecking}
	}
	return cards
}

func relayCard(relay Relay) Card {
	c := Card{ID: "relay", Title: "Relay"}
	switch {
	case relay.Problem != "":
		c.Tone, c.State, c.Lead = ToneBad, "Not working", "No relay"
		c.Text = sentence(relay.Problem)
		return c
	case relay.Mode == RelayOff:
		c.Tone, c.State, c.Lead = ToneIdle, "Off", "Direct paths only"
		c.Text = "Two peers behind strict NATs will not find each other."
		return c
	case relay.Mode == RelayExternal:
		c.Tone, c.State, c.Lead = ToneGood, "External", "Somebody else’s relay"
		c.Text = "Rooms hand out these servers instead of our own."
		for i, addr := range relay.Addrs {
			c.Rows = append(c.Rows, Row{fmt.Sprint("Server ", i+1), addr})
		}
		return c
	}
	c.Tone, c.State = ToneGood, "Ready"
	c.Lead = plural(relay.Allocations, "allocation")
	c.Text = "Carries a connection when no direct path works."
	if relay.Allocations > 0 {
		c.State = "Relaying"
	}
	if relay.Limit > 0 && relay.Allocations >= relay.Limit {
		c.Tone, c.State, c.Text = ToneWarn, "Full", "New relayed connections are refused until one ends."
	}
	c.Rows = append(c.Rows,
		Row{"Relayed", bytesText(relay.Bytes)},
		Row{"Packets", count(relay.Packets)},
		Row{"Refused", count(relay.refused())})
	if relay.RelayIP != "" {
		c.Rows = append(c.Rows, Row{"Reached at", relay.RelayIP})
	}
	return c
}

func (r Relay) refused() (total uint64) {
	for _, n := range r.Refusals {
		total += n
	}
	return total
}

func mappingCard(m Mapping) Card {
	c := Card{ID: "mapping", Title: "Port mapping", Text: sentence(m.Detail)}
	switch m.State {
	case MappingActive:
		c.Tone, c.State, c.Lead = ToneGood, "Active", plural(len(m.Ports), "port")+" open"
	case MappingSearching:
		c.Tone, c.State, c.Lead = ToneBusy, "Searching", "Looking for a gateway"
	case MappingFailed:
		c.Tone, c.State, c.Lead = ToneBad, "Failed", "No mapping"
	default:
		c.Tone, c.State, c.Lead = ToneIdle, "Off", "Not asked for"
		if c.Text == "" {
			c.Text = "The router is asked to forward ports only when you say so."
		}
	}
	if m.Gateway != "" {
		c.Rows = append(c.Rows, Row{"Gateway", m.Gateway})
	}
	if m.External.IsValid() {
		c.Rows = append(c.Rows, Row{"External", m.External.String()})
	}
	for _, p := range m.Ports {
		c.Rows = append(c.Rows, Row{strings.ToUpper(p.Protocol), portText(p)})
	}
	return c
}

func portText(p MappedPort) string {
	text := fmt.Sprintf("%d → %d", p.External, p.Internal)
	if p.Expires.IsZero() {
		return text
	}
	return text + ", lease " + span(time.Until(p.Expires))
}

func mapAction(m Mapping) *Action {
	if m.State == MappingActive || m.State == MappingSearching {
		return &Action{Label: "Close ports", Path: "/nat/map", On: "false"}
	}
	return &Action{Label: "Open ports", Path: "/nat/map", On: "true"}
}

func natCard(n NAT) Card {
	c := Card{ID: "nat", Title: "Address and NAT", Text: sentence(n.Sentence)}
	switch n.State {
	case NATKnown:
		c.Tone, c.State, c.Lead = ToneGood, "Measured", sentenceStart(n.Kind)
	case NATChecking:
		c.Tone, c.State, c.Lead = ToneBusy, "Checking", "Asking outside"
	case NATFailed:
		c.Tone, c.State, c.Lead = ToneBad, "Failed", "No verdict"
	default:
		c.Tone, c.State, c.Lead = ToneIdle, "Unknown", "Not measured"
		if c.Text == "" {
			c.Text = "Nobody outside has been asked how this machine looks from there."
		}
	}
	for _, a := range n.Addresses {
		c.Rows = append(c.Rows, Row{a.Name, a.Addr})
	}
	return c
}

func roomsCard(census Census) Card {
	c := Card{ID: "rooms", Title: "Rooms and peers", Tone: ToneIdle, State: "Quiet", Lead: "Nobody here",
		Text: "Start a room and send its link to somebody."}
	if census.Rooms > 0 {
		c.Tone, c.State = ToneGood, "Open"
		c.Lead = plural(census.Peers, "peer") + " in " + plural(census.Rooms, "room")
		c.Text = "The server introduces them; what they say is encrypted between them."
	}
	c.Rows = []Row{
		{"Rooms so far", count(census.Created)},
		{"Messages carried", count(census.Messages)},
		{"Let go, too slow", count(census.Dropped)},
	}
	return c
}

// Words for numbers.

func plural(n int, noun string) string {
	switch {
	case n == 0:
		return "No " + noun + "s"
	case n == 1:
		return "1 " + noun
	}
	return count(uint64(n)) + " " + noun + "s"
}

// count groups digits with a thin space, which needs no locale.
func count(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var parts []string
	for len(digits) > 3 {
		parts = append(parts, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	parts = append(parts, digits)
	slices.Reverse(parts)
	return strings.Join(parts, "\u2009")
}

func bytesText(n uint64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for ; value >= 999.95 && i < len(units)-1; i++ {
		value /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}

// span is a duration to the two units that matter.
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return "ended"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func sentenceStart(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

func leaseText(p MappedPort) string {
	if p.Expires.IsZero() {
		return "no end"
	}
	return span(time.Until(p.Expires))
}
