package netsim_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"peerlab/netsim"
)

// drop has the next packets of a kind from a to b dropped.
func (r *rig) drop(m netsim.Match, count int) {
	r.Helper()
	if err := r.net.DropNext(m, count); err != nil {
		r.Fatal(err)
	}
}

// story is the packets from one host as text, without those that stand out for nothing.
func (r *rig) story(from string) (lines []string) {
	for _, p := range r.seen() {
		if line := p.Summary; p.From == from {
			if p.Lost {
				line += " ✗ " + p.Why
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// tells checks that the lines are in the story of a host, in that order.
func (r *rig) tells(from string, lines ...string) {
	r.Helper()
	story := r.story(from)
	rest := story
	for _, want := range lines {
		i := 0
		for i < len(rest) && rest[i] != want {
			i++
		}
		if i == len(rest) {
			r.Errorf("host %s does not tell of %q after what came before; all it tells:\n%s", from, want, strings.Join(story, "\n"))
			return
		}
		rest = rest[i+1:]
	}
}

func TestAConversationIsNamed(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 2 * time.Millisecond}})
	r.transfer(random(3000))
	r.tells("a", "SYN", "ACK 1", "DATA 1–1420 (1420 B)", "DATA 1421–2840 (1420 B)", "DATA 2841–3000 (160 B)", "FIN")
	r.tells("b", "SYN-ACK", "ACK 3002") // the FIN counts as one
	for _, p := range r.seen() {
		if p.Layer != "tcp" || p.Note != "" || p.Retransmit || p.Flow != 1 || p.Took() < 2*time.Millisecond {
			t.Errorf("%s: layer %s, note %q, flow %d, took %v", p.Summary, p.Layer, p.Note, p.Flow, p.Took())
		}
	}
	if syn := r.seen()[0].Attrs; syn["mss"] != "1460" || syn["wscale"] == "" || syn["sack_permitted"] != "yes" || syn["ts"] == "" || syn["ttl"] != "64" {
		t.Errorf("the SYN has %v", syn)
	}
}

func TestDroppedHandshake(t *testing.T) {
	t.Parallel() // it waits for seconds
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 2 * time.Millisecond}})
	r.drop(netsim.Match{Kind: netsim.SYN}, 1)
	r.drop(netsim.Match{From: "b", Kind: netsim.SYNACK}, 1)
	begin := time.Now()
	r.connect()
	if took := time.Since(begin); took < 1500*time.Millisecond {
		t.Errorf("a handshake with two losses took %v", took)
	}
	r.tells("a", "SYN ✗ dropped by action", "SYN · retransmission", "ACK 1")
	r.tells("b", "SYN-ACK ✗ dropped by action", "SYN-ACK · retransmission")
}

func TestDroppedSegmentIsSentAgainFast(t *testing.T) {
	for name, tcp := range map[string]netsim.TCP{"SACK": {}, "three duplicates": {NoSACK: true, Congestion: "reno"}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, netsim.Config{TCP: tcp, Link: netsim.Link{Delay: 5 * time.Millisecond}})
			r.drop(netsim.Match{From: "a", To: "b", Kind: netsim.Data, Nth: 3}, 1)
			r.transfer(random(14_200))
			story := strings.Join(r.story("a"), "\n")
			size := "1420"
			if !strings.Contains(story, "DATA 1–1420 ") {
				size = "1448"
			}
			third := map[string]string{"1420": "DATA 2841–4260 (1420 B)", "1448": "DATA 2897–4344 (1448 B)"}[size]
			r.tells("a", third+" ✗ dropped by action", third+" · fast retransmission")
			acked := map[string]string{"1420": "ACK 2841", "1448": "ACK 2897"}[size]
			r.tells("b", acked+" · dup ACK 1", acked+" · dup ACK 2", acked+" · dup ACK 3")
		})
	}
}

func TestDroppedTailIsSentAgainLater(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 5 * time.Millisecond}})
	client, server := r.connect()
	r.drop(netsim.Match{From: "a", Kind: netsim.Data}, 1)
	if _, err := client.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	r.tells("a", "DATA 1–4 (4 B) ✗ dropped by action", "DATA 1–4 (4 B) · retransmission")
	for _, p := range r.seen() {
		if p.Retransmit && p.Attrs["sent before"] == "" {
			t.Errorf("%s: not told when it was sent before", p.Summary)
		}
	}
}

func TestDroppedACKMakesASpuriousRetransmission(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 5 * time.Millisecond}})
	client, server := r.connect()
	r.drop(netsim.Match{From: "b", Kind: netsim.ACK}, 1)
	if _, err := client.Write([]byte("once")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	r.until(func() bool {
		return strings.Contains(strings.Join(r.story("a"), "\n"), "DATA 1–4 (4 B) · spurious retransmission")
	})
}

// until waits for a packet that makes ok true.
func (r *rig) until(ok func() bool) {
	r.Helper()
	tick := time.NewTicker(2 * time.Millisecond) // the stack's timers do the work: nothing to wait for
	defer tick.Stop()
	for range 5000 {
		if ok() {
			return
		}
		<-tick.C
	}
	r.Fatalf("it did not happen; from a:\n%s\nfrom b:\n%s", strings.Join(r.story("a"), "\n"), strings.Join(r.story("b"), "\n"))
}

func TestWindowCloses(t *testing.T) {
	r := newRig(t, netsim.Config{TCP: netsim.TCP{ReceiveBuffer: 16 << 10}, Link: netsim.Link{Delay: 2 * time.Millisecond}})
	client, server := r.connect()
	payload := random(60_000)
	sent := make(chan error, 1)
	go func() { _, err := client.Write(payload); sent <- errors.Join(err, client.CloseWrite()) }()
	saw := func(from, text string) func() bool {
		return func() bool { return strings.Contains(strings.Join(r.story(from), "\n"), text) }
	}
	r.until(saw("b", "· zero window"))
	r.until(saw("a", "· zero window probe"))
	if got, err := io.ReadAll(server); err != nil || len(got) != len(payload) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !saw("b", "· window update")() {
		t.Errorf("b never opened its window:\n%s", strings.Join(r.story("b"), "\n"))
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel() // it waits for seconds
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: time.Millisecond}})
	client, server := r.connect()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(client.SetKeepAlivePeriod(time.Second), client.SetKeepAlive(true)); err != nil {
		t.Fatal(err)
	}
	r.until(func() bool {
		return strings.Contains(strings.Join(r.story("a"), "\n"), "keep-alive") &&
			strings.Contains(strings.Join(r.story("b"), "\n"), "keep-alive ACK")
	})
	for _, p := range r.seen() {
		if p.Retransmit {
			t.Errorf("%s is called a retransmission", p.Summary)
		}
	}
}

func TestReset(t *testing.T) {
	r := newRig(t, netsim.Config{})
	if _, err := r.a.DialContext(t.Context(), "tcp", "b:81"); err == nil {
		t.Fatal("connected to nobody")
	}
	r.tells("a", "SYN")
	r.tells("b", "RST")
}

func TestDatagramsAreNamed(t *testing.T) {
	r := newRig(t, netsim.Config{})
	c, err := r.a.DialContext(t.Context(), "udp", "b:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	query := append([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x07example\x04test\x00\x00\x01\x00\x01"...)
	_, _ = c.Write(query)
	r.tells("a", "DNS query A example.test")
	r.until(func() bool { return len(r.story("b")) > 0 })
	r.tells("b", "ICMP port unreachable")

	other, err := r.a.DialContext(t.Context(), "udp", "b:54")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, _ = other.Write(make([]byte, 512))
	r.until(func() bool { return len(r.story("b")) > 1 })
	_, _ = other.Write(nil) // takes the refusal
	_, _ = other.Write(make([]byte, 2000))
	r.tells("a", "UDP 512 B", "fragment of UDP from byte 0", "fragment of UDP from byte 1480")
}

func TestBadDropsAreRefused(t *testing.T) {
	r := newRig(t, netsim.Config{})
	for _, c := range []struct {
		m     netsim.Match
		count int
		want  error
	}{
		{netsim.Match{From: "nobody"}, 1, netsim.ErrHost},
		{netsim.Match{Kind: "syn"}, 1, netsim.ErrConfig},
		{netsim.Match{Nth: -1}, 1, netsim.ErrConfig},
		{netsim.Match{}, 0, netsim.ErrConfig},
	} {
		if err := r.net.DropNext(c.m, c.count); !errors.Is(err, c.want) {
			t.Errorf("%+v × %d: %v", c.m, c.count, err)
		}
	}
	var err error
	for range 100 {
		err = errors.Join(err, r.net.DropNext(netsim.Match{Kind: netsim.FIN}, 1))
	}
	if !errors.Is(err, netsim.ErrFull) {
		t.Errorf("100 drops waiting: %v", err)
	}
}
