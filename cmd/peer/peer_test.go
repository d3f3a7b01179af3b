package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/leaks"
	"peerlab/peer"
	"peerlab/signaling"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const patience = 30 * time.Second

// house is a server with rooms.
type house struct {
	t   *testing.T
	hub *signaling.Hub
	url string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	hub, err := signaling.NewHub(signaling.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rooms/{room}/ws", func(w http.ResponseWriter, r *http.Request) { hub.ServeWS(w, r, r.PathValue("room")) })
	server := &http.Server{Handler: mux}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served; hub.Close() })
	return &house{t, hub, "http://" + ln.Addr().String() + "/rooms/"}
}

func (h *house) room() (id, url string) {
	h.t.Helper()
	id, err := h.hub.Create(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		h.t.Fatal(err)
	}
	return id, h.url + id
}

// bot puts a bot into a room.
func (h *house) bot(room string) {
	h.t.Helper()
	local, err := h.hub.Join(h.t.Context(), room, "bot")
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); peer.RunBot(ctx, peer.BotConfig{}, local) }()
	h.t.Cleanup(func() { cancel(); <-done })
}

// program is one that runs.
type program struct {
	t        *testing.T
	out, err *screen
	stop     context.CancelFunc
	code     chan int
}

// screen collects output and lets a test wait for some.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func start(t *testing.T, stdin io.Reader, args ...string) *program {
	t.Helper()
	p := &program{t: t, out: newScreen(), err: newScreen(), code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	env := func(key string) string { return map[string]string{"USER": "tester"}[key] }
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.code <- run(ctx, args, env, stdin, p.out, p.err)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func (p *program) sees(s *screen, what string) {
	p.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		there, changed := strings.Contains(s.text.String(), what), s.changed
		s.mu.Unlock()
		if there {
			return
		}
		select {
		case <-changed:
		case <-late:
			p.t.Fatalf("never saw %q in %q; %s", what, s, p.err)
		}
	}
}

func (p *program) exits(want int) {
	p.t.Helper()
	select {
	case got := <-p.code:
		if got != want {
			p.t.Fatalf("exit code %d, want %d\n%s\n%s", got, want, p.out, p.err)
		}
	case <-time.After(patience):
		p.t.Fatalf("does not end: %s", p.err)
	}
}

func file(t *testing.T, name string, size int64) (path, sum string) {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(peer.Generated{Size: size, Seed: 1}, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(data)
	return path, hex.EncodeToString(s[:])
}

func TestSendAndReceive(t *testing.T) {
	_, url := newHouse(t).room()
	dir := t.TempDir()
	one, sum1 := file(t, "one.bin", 3_000_000)
	none, sum2 := file(t, "none.txt", 0)
	record := filepath.Join(t.TempDir(), "run.json")
	receiver := start(t, nil, "receive", url, "--dir", dir, "--count", "2", "--name", "rita")
	receiver.sees(receiver.err, "waiting for files")
	sender := start(t, nil, "send", url, one, none, "--to", "rita", "--trace", record)
	sender.exits(exitOK)
	receiver.exits(exitOK)
	for _, p := range []*program{sender, receiver} {
		for _, want := range []string{sum1 + "  3000000  one.bin", sum2 + "  0  none.txt"} {
			if !strings.Contains(p.out.String(), want) {
				t.Errorf("no %q in %q", want, p.out)
			}
		}
	}
	for name, sum := range map[string]string{"one.bin": sum1, "none.txt": sum2} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if got := sha256.Sum256(data); err != nil || hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s: %v, %d bytes", name, err, len(data))
		}
	}
	f, err := os.Open(record)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	run, err := trace.Decode(f)
	if err != nil || len(run.Events) < 20 {
		t.Errorf("trace: %v", err)
	}
}

func TestAnInterruptedFileGoesOn(t *testing.T) {
	_, url := newHouse(t).room()
	dir := t.TempDir()
	path, sum := file(t, "long.bin", 16_000_000)
	receiver := start(t, nil, "receive", url, "--dir", dir)
	receiver.sees(receiver.err, "waiting for files")
	sender := start(t, nil, "send", url, path)
	part := filepath.Join(dir, "long.bin.part")
	for info, err := os.Stat(part); err != nil || info.Size() < 500_000; info, err = os.Stat(part) {
		select {
		case <-sender.code:
			t.Fatalf("too fast: %s", sender.err)
		case <-time.After(time.Millisecond):
		}
	}
	receiver.stop()
	receiver.exits(exitInterrupted)
	if !strings.Contains(receiver.err.String(), "kept as a .part file in "+dir) {
		t.Errorf("not told: %s", receiver.err)
	}
	sender.exits(exitConnection)
	if !strings.Contains(sender.err.String(), "goes on from there") {
		t.Errorf("not told: %s", sender.err)
	}
	before, err := os.Stat(part)
	if err != nil {
		t.Fatal(err)
	}
	receiver = start(t, nil, "receive", url, "--dir", dir, "--once")
	receiver.sees(receiver.err, "waiting for files")
	sender = start(t, nil, "send", url, path)
	sender.exits(exitOK)
	receiver.exits(exitOK)
	if !strings.Contains(receiver.out.String(), sum) || before.Size() == 0 {
		t.Errorf("%d bytes before, then %s", before.Size(), receiver.out)
	}
}

func TestRefusedFiles(t *testing.T) {
	h := newHouse(t)
	path, _ := file(t, "big.bin", 2000)

	_, url := h.room()
	receiver := start(t, nil, "receive", url, "--dir", t.TempDir(), "--max-size", "1k")
	receiver.sees(receiver.err, "waiting for files")
	sender := start(t, nil, "send", url, path)
	sender.exits(exitTransfer)
	if !strings.Contains(sender.err.String(), "too-large") {
		t.Error(sender.err)
	}
	receiver.stop()
	receiver.exits(exitInterrupted)

	_, url = h.room()
	silence, talk := io.Pipe()
	defer talk.Close()
	chatter := start(t, silence, "join", url)
	sender = start(t, nil, "send", url, path)
	sender.exits(exitTransfer)
	if !strings.Contains(sender.err.String(), "declined") {
		t.Error(sender.err)
	}
	talk.Close()
	chatter.exits(exitOK)
}

func TestChat(t *testing.T) {
	_, url := newHouse(t).room()
	in1, say1 := io.Pipe()
	in2, say2 := io.Pipe()
	defer say1.Close()
	defer say2.Close()
	ann := start(t, in1, "join", url, "--name", "ann")
	ben := start(t, in2, "join", url, "--name", "ben")
	ann.sees(ann.err, "ben: connected")
	ben.sees(ben.err, "ann: connected")
	fmt.Fprintln(say1, "hello \x1b[31mred")
	ben.sees(ben.out, "ann: hello [31mred\n")
	fmt.Fprintln(say2, "/peers")
	ben.sees(ben.err, "ann: connected. Packets go directly")
	fmt.Fprintln(say2, "bye then")
	fmt.Fprintln(say2, "/quit")
	ben.exits(exitOK)
	ann.sees(ann.out, "ben: bye then\n")
	say1.Close()
	ann.exits(exitOK)
}

func TestBenchWithABot(t *testing.T) {
	h := newHouse(t)
	id, url := h.room()
	h.bot(id)
	p := start(t, nil, "bench", url, "--duration", "300ms", "--json")
	p.exits(exitOK)
	var r report
	if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil {
		t.Fatalf("%v in %s", err, p.out)
	}
	if r.Peer != "bot" || r.Relayed || r.Send.Rate <= 0 || r.Receive.Rate <= 0 || r.RTT.Sent == 0 {
		t.Errorf("%+v", r)
	}
}

func TestWhatGoesWrongHasItsCode(t *testing.T) {
	h := newHouse(t)
	_, url := h.room()
	path, _ := file(t, "f", 1)
	nowhere := strings.Repeat("a", 26)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, exitOK, "Exit codes"},
		{[]string{"send", "--help"}, exitOK, "Files to send"},
		{nil, exitUsage, "expected one of"},
		{[]string{"dance"}, exitUsage, "dance"},
		{[]string{"send", url}, exitUsage, "file"},
		{[]string{"send", url, t.TempDir()}, exitUsage, "not a regular file"},
		{[]string{"send", url, filepath.Join(t.TempDir(), "none")}, exitUsage, "no such file"},
		{[]string{"join", "ftp://x/rooms/y"}, exitUsage, "scheme"},
		{[]string{"join", url, "--name", strings.Repeat("x", 65)}, exitUsage, "name"},
		{[]string{"join", url, "--relay-transport", "pigeon"}, exitUsage, "relay-transport"},
		{[]string{"join", url, "--trace", "/nonexistent/run.json"}, exitUsage, "trace"},
		{[]string{"receive", url, "--dir", "/nonexistent/inbox"}, exitUsage, "directory"},
		{[]string{"receive", url, "--max-size", "huge"}, exitUsage, "max-size"},
		{[]string{"receive", url, "--once", "--count", "2"}, exitUsage, "once"},
		{[]string{"bench", url, "--duration", "1h"}, exitUsage, "duration"},
		{[]string{"bench", h.url + nowhere}, exitNoPeer, "no such room"},
		{[]string{"bench", url, "--timeout", "50ms"}, exitNoPeer, "did not come"},
		{[]string{"send", url, path, "--to", "nobody", "--timeout", "50ms"}, exitNoPeer, "nobody did not come"},
		{[]string{"bench", "http://127.0.0.1:1/rooms/" + nowhere}, exitConnection, "cannot join"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			p := start(t, bytes.NewReader(nil), c.args...)
			p.exits(c.code)
			if all := p.out.String() + p.err.String(); !strings.Contains(all, c.says) {
				t.Errorf("says %q, not %q", all, c.says)
			}
		})
	}
}
