package udp_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/udp"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, udp.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&wait=200&delay=5&size=40") }

// clean is a link that does nothing to packets but delay them.
const clean = "network=link&delay=5&jitter=0&loss=0&duplicate=0&reorder=false"

// cells is what the table of sizes says, by row and the first word of the column.
func cells(r *labtest.Running) map[string]string {
	found := map[string]string{}
	for _, e := range r.Log.Events() {
		if program, _, ok := strings.Cut(e.Name, ":"); ok && e.Attrs[trace.GridAttr] != "" {
			found[program+" "+e.From] = e.Text
		}
	}
	return found
}

func TestWhoIsBelievedAndWhoIsToldOfARefusal(t *testing.T) {
	t.Parallel()
	for network, ignored := range map[string]float64{"network=loopback": 0, clean: 2} {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&scene=sockets&stay=0&wait=400")
			if n, c := r.Fact("naive", "false answers believed"), r.Fact("careful", "false answers believed"); n != 1 || c != 0 {
				t.Errorf("%s: false answers believed: naive %g, careful %g", network, n, c)
			}
			// The forged ones pass the socket, the stranger's own do not.
			if n := r.Fact("careful", "datagrams ignored"); n != ignored {
				t.Errorf("%s: the careful client ignored %g datagrams, want %g", network, n, ignored)
			}
			gone := "time to know that the server is gone"
			if n, c := r.Fact("naive", gone), r.Fact("careful", gone); n < 400 || c >= 400 {
				t.Errorf("%s: %s: naive %g ms, careful %g ms", network, gone, n, c)
			}
			if r.Count(func(e trace.Event) bool {
				return e.Kind == trace.Note && strings.HasPrefix(e.Text, "The stranger hears that nobody is there")
			}) == 0 {
				t.Errorf("%s: the stranger is not refused", network)
			}
		})
	}
}

func TestSizesAndTheirFragments(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]map[string]string{
		"network=loopback&wait=5000": {
			"naive 500 B": "whole", "naive 1473 B": "the first 1024 bytes", "careful 65507 B": "whole",
			"careful 65508 B": "not sent: message too long",
		},
		clean + "&wait=5000": {
			"naive 500 B": "whole (1 packet)", "naive 1472 B": "the first 1024 bytes (1 packet)", "careful 1472 B": "whole (1 packet)",
			"careful 1473 B": "whole (2 packets)", "careful 4000 B": "whole (3 packets)", "careful 65507 B": "whole (45 packets)",
			"naive 65508 B": "not sent: message too long",
		},
		clean + "&mtu=1000&wait=5000":           {"careful 972 B": "whole (1 packet)", "careful 973 B": "whole (2 packets)", "careful 65507 B": "whole (68 packets)"},
		"network=link&delay=5&loss=50&wait=100": {"careful 65508 B": "not sent: message too long"}, // nothing may come, and that is no failure
	} {
		r := labtest.Run(t, theLab(t), network+"&scene=sizes&stay=0")
		got := cells(r)
		for cell, text := range want {
			if got[cell] != text {
				t.Errorf("%s: %s: %q, want %q", network, cell, got[cell], text)
			}
		}
	}
}

func TestAFileOverALossyLink(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "network=link&scene=transfer&delay=10&jitter=5&loss=15&duplicate=10&size=60")
	if whole := r.Fact("careful", "of the file in its place"); whole != 100 {
		t.Errorf("of the careful file %g %% are right", whole)
	}
	if again := r.Fact("careful", "pieces sent again"); again == 0 {
		t.Error("nothing was sent again at 15 % loss")
	}
	if missing := r.Fact("careful", "pieces missing"); missing != 0 {
		t.Errorf("%g pieces of the careful file missing", missing)
	}
	if r.Fact("naive", "pieces missing") == 0 || r.Fact("naive", "pieces overtaken") == 0 || r.Fact("naive", "pieces that came twice") == 0 {
		t.Error("the naive file lost nothing, or nothing overtook, or nothing came twice")
	}
	if whole := r.Fact("naive", "of the file in its place"); whole > 90 {
		t.Errorf("%g %% of the naive file are right", whole)
	}
}

func TestAFullBufferIsTheOnlyLossOnTheLoopback(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "network=loopback&scene=transfer&stay=0&size=200&buffer=8")
	full, missing := r.Fact("naive", "dropped by the full receive buffer"), r.Fact("naive", "pieces missing")
	if full == 0 || full != missing {
		t.Errorf("%g datagrams dropped by the kernel, %g pieces missing", full, missing)
	}
	if whole := r.Fact("careful", "of the file in its place"); whole != 100 {
		t.Errorf("of the careful file %g %% are right", whole)
	}
	// Room for all of it, and no work: now even the naive way works.
	r = labtest.Run(t, theLab(t), "network=loopback&scene=transfer&stay=0&size=20&buffer=200&work=0")
	if whole := r.Fact("naive", "of the file in its place"); whole != 100 {
		t.Errorf("of a short naive file %g %% are right", whole)
	}
}

func TestAmplification(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"network=loopback", clean} {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&scene=amplify&stay=0&wait=300")
			if times := r.Fact("naive", "amplification"); times < 200 || times > 300 {
				t.Errorf("%s: the naive server amplifies %g times", network, times)
			}
			if times := r.Fact("careful", "amplification"); times <= 0 || times > 3 {
				t.Errorf("%s: the careful server amplifies %g times", network, times)
			}
			for _, v := range []string{"naive", "careful"} {
				if items := r.Fact(v, "items of the list that a real client got"); items != 7 {
					t.Errorf("%s: %g items for a real client of the %s server", network, items, v)
				}
			}
		})
	}
}

func TestTsharkSeesTheSamePackets(t *testing.T) {
	t.Parallel()
	tshark := need.Tool(t, "tshark", "tshark")
	r := labtest.Run(t, theLab(t), "network=link&delay=5&loss=0&duplicate=20&wait=200&size=20")
	var file bytes.Buffer
	if err := r.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "udp.pcapng")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tshark, "-r", path, "-o", "udp.check_checksum:TRUE", "-o", "ip.defragment:TRUE",
		"-T", "fields", "-e", "ip.flags.mf", "-e", "ip.frag_offset", "-e", "icmp.code", "-e", "udp.checksum.status", "-E", "occurrence=f").Output()
	if err != nil {
		t.Fatal(err)
	}
	fragments, refusals, bad := 0, 0, 0
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 4 {
			continue
		}
		if f[0] == "1" || f[0] == "True" || f[1] != "0" {
			fragments++
		}
		if f[2] == "3" {
			refusals++
		}
		if f[3] == "0" {
			bad++
		}
	}
	own := r.Count(func(e trace.Event) bool { return e.Attrs["fragment"] != "" })
	ownRefusals := r.Count(func(e trace.Event) bool { return strings.HasPrefix(e.Name, "ICMP port unreachable") })
	if fragments == 0 || fragments != own {
		t.Errorf("tshark sees %d fragments, the record has %d", fragments, own)
	}
	if refusals == 0 || refusals != ownRefusals {
		t.Errorf("tshark sees %d refusals, the record has %d", refusals, ownRefusals)
	}
	if bad != 0 {
		t.Errorf("tshark finds %d bad checksums, forged datagrams included", bad)
	}
}

func TestOutsidersByNetcatAndSs(t *testing.T) {
	t.Parallel()
	nc, ss := need.Tool(t, "nc", "netcat-openbsd"), need.Tool(t, "ss", "iproute2")
	r := labtest.Start(t, theLab(t), "stay=300&duration=60&wait=100&size=200&buffer=8")
	r.Until("the end of the scenes", func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "The scenes are over.")
	})
	say := func(service, text string) string {
		variant, _, _ := strings.Cut(service, ".")
		cmd := exec.CommandContext(t.Context(), nc, "-u", "-w1", r.Live(variant+".host"), r.Live(service))
		cmd.Stdin = strings.NewReader(text)
		got, err := cmd.Output()
		if err != nil {
			t.Errorf("nc: %v", err)
		}
		return string(got)
	}
	var all sync.WaitGroup
	for _, c := range []struct{ service, say, hear string }{
		{"careful.ask", "ASK 42\n", "^ANSWER 42 from the server\n$"},
		{"careful.ask", "hello", "^hello$"},
		{"careful.file", "DATA 1 3\nhello", "^ACK 0 1\n$"},
		{"naive.file", "DATA 1 3\nhello", "^$"},
		{"naive.list", "LIST", "^(?s)ITEM 1 7\n.*ITEM 4 7\n.*ITEM 7 7\n.*$"},
		{"careful.list", "LIST", "^PAD$"},
		{"careful.list", "LIST and much more behind it, so it may be answered", "^TOKEN [0-9a-f]{16}\n$"},
	} {
		all.Go(func() { // nc waits for a second
			if got := say(c.service, c.say); !regexp.MustCompile(c.hear).MatchString(got) {
				t.Errorf("%s answered %q with %.60q, want %s", c.service, c.say, got, c.hear)
			}
		})
	}
	all.Wait()
	out, err := exec.CommandContext(t.Context(), ss, "-uanm", "sport = :"+r.Live("naive.file")).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`,d(\d+)\)`).FindSubmatch(out)
	if full := r.Fact("naive", "dropped by the full receive buffer"); m == nil || string(m[1]) != strconv.Itoa(int(full)) || full == 0 {
		t.Errorf("%g datagrams dropped, and ss says %s", full, out)
	}
}

func TestATokenIsGoodForItsAddressOnly(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "scene=amplify&stay=300&duration=60&wait=100&list=2")
	dial := func() net.Conn {
		c, err := net.Dial("udp", net.JoinHostPort(r.Live("careful.host"), r.Live("careful.list")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn, text string) string {
		buf := make([]byte, 2000)
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	mine, other := dial(), dial()
	token := strings.Fields(ask(mine, "LIST "+strings.Repeat("x", 40)))[1]
	if got := ask(other, "LIST "+token); !strings.HasPrefix(got, "TOKEN ") && got != "PAD" {
		t.Errorf("somebody else's token got %.40q", got)
	}
	if got := ask(mine, "LIST "+token); !strings.HasPrefix(got, "ITEM 1 2") {
		t.Errorf("the token got its owner %.40q", got)
	}
}

func TestOneOutsiderCannotHoldUpAnother(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "scene=amplify&stay=300&duration=60&wait=100&work=0")
	at := func(service string) string {
		return net.JoinHostPort(r.Live("careful.host"), r.Live("careful."+service))
	}
	polite, err := net.Dial("udp", at("file"))
	if err != nil {
		t.Fatal(err)
	}
	defer polite.Close()
	if _, err := polite.Write([]byte("DATA 0 2\nme")); err != nil {
		t.Fatal(err)
	}
	polite.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := polite.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for i := range 60 { // nonsense, files that are too large, and too many of them
		c, err := net.Dial("udp", at("file"))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"", "DATA", "DATA -1 5", "DATA 99999999999999999999 4096\n", "DATA 5 5\nx", "DATA 0 4097\nx", "\x00\xff", "ACK 1 1",
			fmt.Sprintf("DATA %d 4096\n%s", i, strings.Repeat("x", 60_000)),
		} {
			c.Write([]byte(text))
		}
		c.Close()
	}
	for try := 0; ; try++ { // the buffer may be full of theirs
		if _, err := polite.Write([]byte("DATA 1 2\ntoo")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		polite.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := polite.Read(buf)
		if err == nil && string(buf[:n]) == "ACK 2 1\n" {
			break
		}
		if try == 40 {
			t.Fatalf("answered %q, %v", buf[:n], err)
		}
	}
	r.Stop()
}
