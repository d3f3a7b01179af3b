package netsim_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/need"
	"peerlab/netsim"
)

// lossy is a transfer with losses of every kind that the packets can show.
func lossy(t *testing.T) []netsim.Packet {
	t.Helper()
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 4 * time.Millisecond, Loss: 0.04, Seed: 7}})
	if err := r.net.DropNext(netsim.Match{From: "a", To: "b", Kind: netsim.Data, Nth: 5}, 2); err != nil {
		t.Fatal(err)
	}
	r.transfer(random(400_000))
	return r.seen()
}

func TestPcapngIsReadByGopacket(t *testing.T) {
	packets := lossy(t)
	var file bytes.Buffer
	if err := netsim.WritePcapng(&file, packets); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatalf("opening what was written: %v", err)
	}
	for i, want := range packets {
		data, ci, opts, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatalf("packet %d of %d: %v", i, len(packets), err)
		}
		if !bytes.Equal(data, want.Data) || ci.Timestamp.UnixNano() != want.At.UnixNano() {
			t.Fatalf("packet %d is not the one that was sent, or not at its time", i)
		}
		if want.Lost && !slices.Contains(opts.Comments, want.Why) {
			t.Fatalf("packet %d was lost, its comments are %q", i, opts.Comments)
		}
	}
}

func TestPcapngKeepsToItsLimit(t *testing.T) {
	packets := lossy(t)
	var file bytes.Buffer
	w, err := netsim.NewPcapngWriter(&file, 10_000, "naive", "fixed")
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for err == nil {
		if err = w.Write(kept%2, packets[kept]); err == nil {
			kept++
		}
	}
	if !errors.Is(err, netsim.ErrFull) || file.Len() > 10_000 || kept == 0 {
		t.Errorf("%d packets in %d bytes, then %v", kept, file.Len(), err)
	}
	if err := w.Write(2, packets[0]); !errors.Is(err, netsim.ErrConfig) {
		t.Errorf("a third interface: %v", err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		if _, ci, err := r.ReadPacketData(); err != nil || ci.InterfaceIndex != i%2 {
			t.Fatalf("packet %d: interface %d, %v", i, ci.InterfaceIndex, err)
		}
	}
}

// tshark reads packets with tshark and returns the fields of each, or skips.
func tshark(t *testing.T, packets []netsim.Packet, options []string, fields ...string) [][]string {
	t.Helper()
	path := need.Tool(t, "tshark", "tshark")
	name := filepath.Join(t.TempDir(), "run.pcapng")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netsim.WritePcapng(file, packets), file.Close()); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-r", name, "-T", "fields", "-E", "separator=/t"}, options...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // nobody's preferences
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	if len(rows) != len(packets) {
		t.Fatalf("tshark found %d packets in a file of %d: %s", len(rows), len(packets), stderr.String())
	}
	return rows
}

func TestTsharkAgrees(t *testing.T) {
	packets := lossy(t)
	rows := tshark(t, packets, []string{"-N", "n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"},
		"frame.comment", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.duplicate_ack_num", "tcp.analysis.window_update",
		"tcp.checksum.status", "ip.checksum.status", "tcp.seq", "tcp.len", "ip.src_host", "ip.dst_host", "_ws.malformed")
	retransmitted, lost := 0, 0
	for i, row := range rows {
		p := packets[i]
		comment, again, disorder, dup, update := row[0], row[1] != "", row[2] != "", row[3] != "", row[4] != ""
		// It calls what is repeated within a round trip out of order: it can't
		// know that this capture is the sender's.
		if (again || disorder) != p.Retransmit {
			t.Errorf("packet %d, %s: tshark has retransmission %v, out of order %v", i, p.Summary, again, disorder)
		}
		if p.Retransmit {
			retransmitted++
		}
		if p.Lost {
			lost++
			if comment != p.Why {
				t.Errorf("packet %d was lost (%s), its comment is %q", i, p.Why, comment)
			}
		}
		// RFC 6675 counts an ACK with news in its SACK blocks as a duplicate,
		// whatever its window says; tshark calls it a window update then.
		if ours := strings.HasPrefix(p.Note, "dup ACK "); dup && !ours || ours && !dup && !(update && p.Attrs["sack"] != "") {
			t.Errorf("packet %d, %s: tshark has duplicate ACK %v, window update %v", i, p.Summary, dup, update)
		}
		if row[5] != "1" || row[6] != "1" {
			t.Errorf("packet %d: checksum status %s of TCP, %s of IP; 1 is good", i, row[5], row[6])
		}
		if row[7] != p.Attrs["seq"] || row[8] != p.Attrs["len"] {
			t.Errorf("packet %d, %s: tshark has seq %s, length %s", i, p.Summary, row[7], row[8])
		}
		if row[9] != p.From || row[10] != p.To {
			t.Errorf("packet %d from %s to %s: tshark names %s and %s", i, p.From, p.To, row[9], row[10])
		}
		if row[11] != "" {
			t.Errorf("packet %d is malformed to tshark", i)
		}
	}
	if retransmitted < 5 || lost < 5 {
		t.Errorf("only %d retransmissions and %d losses: nothing was compared", retransmitted, lost)
	}
	t.Log(strconv.Itoa(len(packets)), "packets,", lost, "lost,", retransmitted, "retransmitted")
}
