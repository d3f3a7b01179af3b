package packets_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"peerlab/dissect"
	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/packets"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, packets.New(false)) }

// observant is the lab on a server that lets its owner capture.
func observant(t testing.TB) *lab.Lab { return labtest.New(t, packets.New(true)) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&delay=5") }

const link = "network=link&delay=3"

// saved is the pcapng file of a run.
func saved(t testing.TB, r *labtest.Running) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := r.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// frames counts the packets of a file that tshark shows with a display filter.
func frames(t testing.TB, file []byte, show string) float64 {
	return counts(t, file, []string{show})[0]
}

// counts are those of tshark's table of frames and bytes, a pair for each display filter.
func counts(t testing.TB, file []byte, shows []string) (all []float64) {
	t.Helper()
	tshark := need.Tool(t, "tshark", "tshark")
	path := filepath.Join(t.TempDir(), "run.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tshark, "-n", "-q", "-r", path, "-z", "io,stat,0,"+strings.Join(shows, ",")).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "<>") {
			continue
		}
		for i, cell := range strings.Split(strings.Trim(line, "| \n"), "|")[1:] {
			if n, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); i%2 == 0 && err == nil {
				all = append(all, n)
			}
		}
	}
	if len(all) != len(shows) {
		t.Fatalf("tshark counts %d of %d:\n%s", len(all), len(shows), out)
	}
	return all
}

func TestTsharkSeesTheSame(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), link)
	file := saved(t, r)
	shows := []string{"frame", "tcp.port == 80", `frame.comment contains "dropped"`, "http.response.code == 200"}
	want := []float64{
		r.Fact("everything", "packets"), r.Fact("filtered", "packets"), r.Fact("", "lost on the way"),
		2, // the page in the clear, and as the keys are in the file the one under TLS
	}
	for i, got := range counts(t, file, shows) {
		if got != want[i] {
			t.Errorf("%s: tshark shows %g packets, want %g", shows[i], got, want[i])
		}
	}
}

func TestALostSegmentIsSentAgain(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		lossy, whole := labtest.Run(t, theLab(t), link), labtest.Run(t, theLab(t), link+"&lose=0")
		if lost, again := lossy.Fact("", "lost on the way"), lossy.Fact("", "sent again"); lost != 1 || again < 1 {
			t.Errorf("%g lost, %g sent again", lost, again)
		}
		if lost, again := whole.Fact("", "lost on the way"), whole.Fact("", "sent again"); lost != 0 || again != 0 {
			t.Errorf("without a loss %g lost, %g sent again", lost, again)
		}
		if n := lossy.Count(func(e trace.Event) bool { return strings.HasPrefix(e.Text, "dup ACK") }); n == 0 {
			t.Error("no repeated acknowledgement after the loss")
		}
	})
}

func TestOneBufferSpoilsWhatIsKept(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), link)
	if n, all := r.Fact("shared-buffer", "packets that became others"), r.Fact("everything", "packets"); n < all/2 {
		t.Errorf("%g of %g packets became others", n, all)
	}
	if n := r.Fact("own-bytes", "packets that became others"); n != 0 {
		t.Errorf("%g packets with bytes of their own became others", n)
	}
}

func TestTheKeysOpenEveryRecord(t *testing.T) {
	t.Parallel()
	for _, network := range []string{link, "network=loopback&stay=0"} {
		with, without := labtest.Run(t, theLab(t), network), labtest.Run(t, theLab(t), network+"&keys=false")
		if sealed, opened := with.Fact("", "TLS records under seal"), with.Fact("", "TLS records opened"); sealed < 8 || opened != sealed {
			t.Errorf("%s: %g of %g records opened", network, opened, sealed)
		}
		if opened := without.Fact("", "TLS records opened"); opened != 0 {
			t.Errorf("%s: %g records opened without keys", network, opened)
		}
		for name, run := range map[string]*labtest.Running{"with": with, "without": without} {
			read := run.Count(func(e trace.Event) bool { return e.Name == "with the keys" && e.Text == "GET /page HTTP/1.1" })
			told := run.Count(func(e trace.Event) bool {
				return e.Name == "anyone on the way" && e.Text == "ClientHello for www.lab.example"
			})
			if (read == 1) != (name == "with") || told != 1 {
				t.Errorf("%s, %s keys: the request is read %d times, the name of the server %d times", network, name, read, told)
			}
		}
	}
}

func TestEveryPacketCanBeTakenApart(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), link)
	kept, _ := r.Packets()
	for n := 1; n <= kept; n++ {
		data, on, ok := r.Packet(n)
		if !ok {
			t.Fatalf("no packet %d of %d", n, kept)
		}
		p := dissect.Do(data, dissect.LinkType(on))
		if p.Problem != "" || len(p.Layers) < 2 {
			t.Errorf("packet %d: %d layers, %s", n, len(p.Layers), p.Problem)
		}
		for _, l := range p.Layers {
			for _, f := range l.Fields {
				if f.Name == "checksum" && f.Note != "right" {
					t.Errorf("packet %d, %s: the checksum is %s", n, l.Name, f.Note)
				}
			}
		}
	}
	for _, n := range []int{-1, 0, kept + 1} {
		if _, _, ok := r.Packet(n); ok {
			t.Errorf("there is a packet %d", n)
		}
	}
}

func TestALiveCapture(t *testing.T) {
	t.Parallel()
	need.Root(t)
	curl := need.Tool(t, "curl", "curl")
	r := labtest.StartFor(t, observant(t), "network=loopback&stay=60&duration=60", lab.Client{Owner: true})
	r.Until("the stay", func(e trace.Event) bool { return strings.Contains(e.Text, "stay open") })
	out, err := exec.CommandContext(t.Context(), curl, "-s", "-A", "a-stranger", "-o", os.DevNull, "http://"+r.Live("host")+":"+r.Live("port")+"/page").CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v: %s", err, out)
	}
	asked := r.Until("the packet with curl's request", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.To == "server" && strings.Contains(e.Name, "GET /page") && e.From != "client"
	})
	data, on, ok := r.Packet(1)
	if !ok || dissect.LinkType(on) != dissect.Ethernet || len(data) < 34 {
		t.Errorf("the first packet has %d bytes of link type %d", len(data), on)
	}
	if asked.Attrs[lab.PacketAttr] == "" {
		t.Error("a captured packet without its number")
	}
	r.Stop()
	handshakes := r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && strings.Contains(e.Name, "ACK SYN") })
	if handshakes != 3 {
		t.Errorf("%d SYN-ACKs of three connections: the loopback shows packets twice", handshakes)
	}
	if got := frames(t, saved(t, r), "http.user_agent == \"a-stranger\""); got != 1 {
		t.Errorf("tshark finds curl's request %g times", got)
	}
}

func TestWhoMayNotCaptureIsToldWhy(t *testing.T) {
	t.Parallel()
	for why, l := range map[string]*lab.Lab{"--capture": theLab(t), "opened it as localhost": observant(t)} {
		r := labtest.Run(t, l, "network=loopback&stay=0")
		if n := r.Count(func(e trace.Event) bool {
			return e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.Contains(e.Text, why)
		}); n != 1 {
			t.Errorf("%d verdicts that say %q", n, why)
		}
	}
	other := labtest.StartFor(t, observant(t), "network=loopback&stay=0&device=nothere", lab.Client{Owner: true})
	other.Wait()
	if other.Count(func(e trace.Event) bool { return strings.Contains(e.Text, "no such device") }) == 0 {
		t.Error("a device that is not there is not named")
	}
}
