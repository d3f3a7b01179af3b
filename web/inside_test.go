package web

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMetricsGolden(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	status := Status{
		Version: `v"1\` + "\n", Started: started,
		Relay:   Relay{Allocations: 2, Bytes: 123456789012, Packets: 42, Refusals: map[string]uint64{"quota": 1, "address": 3}},
		Mapping: Mapping{State: MappingActive, Ports: make([]MappedPort, 2)},
		Rooms:   Census{Rooms: 3, Peers: 5, Created: 8, Messages: 13, Dropped: 21},
	}
	var got bytes.Buffer
	if err := writeMetrics(&got, metricsOf(status, started.Add(90*time.Second))); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("metrics differ from %s:\n%s", golden, got.String())
	}
}

// The path must paint exactly the dark modules, inside a quiet zone.
func TestQRPathPaintsTheCode(t *testing.T) {
	const text = "http://192.168.100.200:8080/rooms/abcdefghijklmnopqrstuvwxyz"
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	path, err := qrCode(text)
	if err != nil {
		t.Fatal(err)
	}
	if path.Size != code.Size+8 {
		t.Fatalf("size %d for a code of %d", path.Size, code.Size)
	}
	painted := map[[2]int]bool{}
	for part := range strings.SplitSeq(strings.TrimSuffix(path.D, "z"), "z") {
		var x, y, run, back int
		if _, err := fmt.Sscanf(part, "M%d %dh%dv1h-%d", &x, &y, &run, &back); err != nil || run != back {
			t.Fatalf("%q: %v", part, err)
		}
		for i := range run {
			painted[[2]int{x + i, y}] = true
		}
	}
	for y := range path.Size {
		for x := range path.Size {
			if dark := code.Black(x-4, y-4); dark != painted[[2]int{x, y}] {
				t.Fatalf("module %d,%d: painted %v, should be %v", x, y, !dark, dark)
			}
		}
	}
	if _, err := qrCode(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text too long for any code was drawn")
	}
}

func TestCards(t *testing.T) {
	for name, c := range map[string]struct {
		card        Card
		tone        Tone
		state, lead string
	}{
		"relay off":      {relayCard(Relay{Mode: RelayOff}), ToneIdle, "Off", "Direct paths only"},
		"relay broken":   {relayCard(Relay{Mode: RelayOwn, Problem: "port taken"}), ToneBad, "Not working", "No relay"},
		"relay idle":     {relayCard(Relay{Mode: RelayOwn}), ToneGood, "Ready", "No allocations"},
		"relay busy":     {relayCard(Relay{Mode: RelayOwn, Allocations: 1}), ToneGood, "Relaying", "1 allocation"},
		"relay full":     {relayCard(Relay{Mode: RelayOwn, Allocations: 4, Limit: 4}), ToneWarn, "Full", "4 allocations"},
		"relay external": {relayCard(Relay{Mode: RelayExternal, Addrs: []string{"turn:a"}}), ToneGood, "External", "Somebody else’s relay"},
		"mapping off":    {mappingCard(Mapping{State: MappingOff}), ToneIdle, "Off", "Not asked for"},
		"mapping search": {mappingCard(Mapping{State: MappingSearching}), ToneBusy, "Searching", "Looking for a gateway"},
		"mapping failed": {mappingCard(Mapping{State: MappingFailed, Detail: "no answer"}), ToneBad, "Failed", "No mapping"},
		"mapping active": {mappingCard(Mapping{State: MappingActive, Ports: make([]MappedPort, 2)}), ToneGood, "Active", "2 ports open"},
		"nat unknown":    {natCard(NAT{}), ToneIdle, "Unknown", "Not measured"},
		"nat checking":   {natCard(NAT{State: NATChecking}), ToneBusy, "Checking", "Asking outside"},
		"nat known":      {natCard(NAT{State: NATKnown, Kind: "double NAT"}), ToneGood, "Measured", "Double NAT"},
		"nat failed":     {natCard(NAT{State: NATFailed, Sentence: "no answer"}), ToneBad, "Failed", "No verdict"},
		"rooms none":     {roomsCard(Census{}), ToneIdle, "Quiet", "Nobody here"},
		"rooms some":     {roomsCard(Census{Rooms: 1, Peers: 2}), ToneGood, "Open", "2 peers in 1 room"},
	} {
		if c.card.Tone != c.tone || c.card.State != c.state || c.card.Lead != c.lead {
			t.Errorf("%s: %s, %q, %q", name, c.card.Tone, c.card.State, c.card.Lead)
		}
		if c.card.Text != "" && !strings.HasSuffix(c.card.Text, ".") {
			t.Errorf("%s: %q is no sentence", name, c.card.Text)
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for got, want := range map[string]string{
		bytesText(0): "0 B", bytesText(999): "999 B", bytesText(1000): "1.0 kB", bytesText(999_999): "1.0 MB", bytesText(1_834_000_000): "1.8 GB",
		count(7): "7", count(1234567): "1\u2009234\u2009567",
		span(-time.Second): "ended", span(5 * time.Second): "5 s", span(90 * time.Minute): "1 h 30 min", span(100 * time.Hour): "4 days",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "127.0.0.1": true, "127.9.9.9:1": true, "[::1]:80": true, "[::1]": true, "[::ffff:127.0.0.1]:1": true,
		"192.168.1.1": false, "localhost.example": false, "": false, "peer.local:80": false,
	} {
		if loopbackHost(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestOneClientDoesNotTakeEveryPlace(t *testing.T) {
	p := &places{taken: map[netip.Addr]int{}}
	a, near, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	first, ok := p.take(a)
	if _, also := p.take(near); !ok || !also {
		t.Fatal("no place")
	}
	if _, ok := p.take(a); ok {
		t.Error("a third place for one network")
	}
	if _, ok := p.take(other); !ok {
		t.Error("no place for somebody else")
	}
	first()
	if _, ok := p.take(a); !ok {
		t.Error("a place that was left is not given again")
	}
	for i := range byte(10) {
		p.take(netip.AddrFrom4([4]byte{192, 0, 2, 2 + i}))
	}
	if p.all != maxUploads {
		t.Errorf("%d places taken of %d", p.all, maxUploads)
	}
}
