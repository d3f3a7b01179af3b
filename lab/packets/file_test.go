package packets_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/trace"
)

func send(t testing.TB, data []byte, query string) *labtest.Running {
	t.Helper()
	r := labtest.StartFor(t, theLab(t), query, lab.Client{File: &lab.File{Name: "a.pcapng", Data: data}})
	r.Wait()
	return r
}

func TestARunCanBeSentBackAsAFile(t *testing.T) {
	t.Parallel()
	first := labtest.Run(t, theLab(t), link)
	again := send(t, saved(t, first), "filter=tcp+port+80")
	for _, v := range []string{"everything", "filtered"} {
		if a, b := first.Fact(v, "packets"), again.Fact(v, "packets"); a != b {
			t.Errorf("%s: %g packets in the run, %g in its file", v, a, b)
		}
	}
	// The keys are in it.
	if sealed, opened := again.Fact("", "TLS records under seal"), again.Fact("", "TLS records opened"); sealed == 0 || opened != sealed {
		t.Errorf("%g of %g records opened", opened, sealed)
	}
	if got := frames(t, saved(t, again), "http.response.code == 200"); got != 2 {
		t.Errorf("tshark reads %g pages of the file that was sent back", got)
	}
}

// classic is a pcap file, in either byte order, of n frames.
func classic(t testing.TB, order binary.ByteOrder, n int) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	frame := append(bytes.Repeat([]byte{2}, 12), 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2)
	for i := range n {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
			t.Fatal(err)
		}
	}
	b := file.Bytes()
	if order == binary.BigEndian { // the headers' words, turned round
		turn := func(at int, sizes ...int) {
			for _, size := range sizes {
				for i, j := at, at+size-1; i < j; i, j = i+1, j-1 {
					b[i], b[j] = b[j], b[i]
				}
				at += size
			}
		}
		turn(0, 4, 2, 2, 4, 4, 4, 4)
		for at := 24; at < len(b); at += 16 + len(frame) {
			turn(at, 4, 4, 4, 4)
		}
	}
	return b
}

func TestFilesOfAllKinds(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(classic(t, binary.LittleEndian, 3)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := classic(t, binary.LittleEndian, 3)
	for name, c := range map[string]struct {
		file    []byte
		packets float64
		says    string
	}{
		"pcap":             {whole, 3, "3 packets"},
		"pcap, big-endian": {classic(t, binary.BigEndian, 3), 3, "3 packets"},
		"cut":              {whole[:len(whole)-5], 2, "in the middle of packet 3"},
		"cut short":        {whole[:10], 0, "before its first packet"},
		"too many":         {classic(t, binary.LittleEndian, 2001), 2000, "only the first 2000"},
		"compressed":       {packed.Bytes(), 0, "unpack it first"},
		"empty":            {nil, 0, "too short"},
		"a picture":        {[]byte("\x89PNG\r\n\x1a\n"), 0, "neither like a pcap"},
		"a lie":            {append([]byte{0x0a, 0x0d, 0x0d, 0x0a, 0xfc, 0xff, 0xff, 0xff, 0x4d, 0x3c, 0x2b, 0x1a}, make([]byte, 40)...), 0, "read"},
	} {
		r := send(t, c.file, "network=link")
		if got := r.Fact("everything", "packets"); got != c.packets {
			t.Errorf("%s: %g packets, want %g", name, got, c.packets)
		}
		if r.Count(func(e trace.Event) bool { return e.Kind == trace.Note && strings.Contains(e.Text, c.says) }) == 0 {
			t.Errorf("%s: no note says %q", name, c.says)
		}
		if none := r.Count(func(e trace.Event) bool {
			return e.Attrs[trace.VerdictAttr] == string(lab.Bad) && strings.HasPrefix(e.Text, "No packet could be read")
		}); (none == 1) != (c.packets == 0) {
			t.Errorf("%s: %d verdicts that nothing could be read", name, none)
		}
		if some := r.Count(func(e trace.Event) bool {
			return e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.Contains(e.Text, "Not all of the file was read")
		}); (some == 1) != (c.packets == 2 || c.packets == 2000) {
			t.Errorf("%s: %d verdicts that not all was read", name, some)
		}
	}
}
