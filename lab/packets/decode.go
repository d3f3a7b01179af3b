package packets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/dissect"
	"peerlab/lab"
)

// decodings reads the captured packets again, as a file: from one buffer and
// from a copy each, and times three ways to decode.
func decodings(ctx context.Context, r *lab.Run, packets []seen) error {
	list := sameLink(packets)
	if len(list) == 0 {
		return nil
	}
	for _, way := range []struct {
		name  string
		read  func([]byte) ([]gopacket.Packet, error)
		views bool // of one buffer
	}{{"shared-buffer", sharedBuffer, true}, {"own-bytes", ownBytes, false}} {
		file, err := asFile(list)
		if err != nil {
			return err
		}
		kept, err := way.read(file)
		if err != nil {
			return fmt.Errorf("reading what was captured: %w", err)
		}
		changed := 0
		for i, p := range kept {
			if !bytes.Equal(p.Data(), list[i].data) {
				changed++
			}
		}
		v := r.Variant(way.name)
		v.Fact("packets that became others", float64(changed), "packets")
		switch {
		case changed > 0:
			v.Verdict(lab.Bad, "%d of %d packets that were kept are others now: all were views of the reader's one buffer.", changed, len(kept))
		case way.views:
			v.Verdict(lab.Warn, "None of %d packets became another, as no later one was read over it. All are views of the reader's one buffer.", len(kept))
		default:
			v.Verdict(lab.Good, "All %d packets that were kept are still what they were: each has bytes of its own.", len(kept))
		}
	}
	return timings(ctx, r, list)
}

// sameLink are the packets with the link type of the first, as one decoder takes them.
func sameLink(packets []seen) (list []seen) {
	for _, p := range packets {
		if p.link == packets[0].link {
			list = append(list, p)
		}
	}
	return list
}

// asFile writes packets as a pcapng file.
func asFile(list []seen) ([]byte, error) {
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&file, pcapgo.NgInterface{Name: "again", LinkType: list[0].link, SnapLength: 1 << 16}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		return nil, fmt.Errorf("writing a file: %w", err)
	}
	for _, p := range list {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: p.at, CaptureLength: len(p.data), Length: len(p.data)}, p.data); err != nil {
			return nil, fmt.Errorf("writing a file: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("writing a file: %w", err)
	}
	return file.Bytes(), nil
}

// region buffers

// sharedBuffer is quick, and wrong for packets that are kept: the reader reuses
// its buffer, NoCopy makes each packet a view of it, and Lazy has not even
// looked at it yet when the next one overwrites it.
func sharedBuffer(file []byte) (kept []gopacket.Packet, err error) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, err
	}
	for {
		data, _, err := r.ZeroCopyReadPacketData()
		if err != nil {
			return kept, atEnd(err)
		}
		kept = append(kept, gopacket.NewPacket(data, dissect.First(data, r.LinkType()), gopacket.DecodeOptions{NoCopy: true, Lazy: true}))
	}
}

// ownBytes may use NoCopy as well: what ReadPacketData returned is nobody else's.
func ownBytes(file []byte) (kept []gopacket.Packet, err error) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, err
	}
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			return kept, atEnd(err)
		}
		kept = append(kept, gopacket.NewPacket(data, dissect.First(data, r.LinkType()), gopacket.NoCopy))
	}
}

// endregion

// rounds is how often all packets are decoded, to be timed.
const rounds = 20

// timings measures what a packet costs in three ways.
func timings(ctx context.Context, r *lab.Run, list []seen) error {
	reused := newReused(list[0].link)
	for _, way := range []struct {
		name   string
		decode func(data []byte)
	}{
		{"every layer", func(b []byte) {
			gopacket.NewPacket(b, dissect.First(b, list[0].link), gopacket.NoCopy).Layers()
		}},
		{"lazily, up to TCP", func(b []byte) {
			gopacket.NewPacket(b, dissect.First(b, list[0].link), gopacket.DecodeOptions{NoCopy: true, Lazy: true}).Layer(layers.LayerTypeTCP)
		}},
		{"into layers of our own", reused.decode},
	} {
		for _, p := range list { // the first time is not like the others
			way.decode(p.data)
		}
		begin := time.Now()
		for range rounds {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, p := range list {
				way.decode(p.data)
			}
		}
		r.Fact("decoding a packet "+way.name, float64(time.Since(begin).Nanoseconds())/float64(rounds*len(list)), "ns")
	}
	return nil
}

// region reused

// reused decodes into the same few structs again and again, and allocates
// nothing. It knows these layers and no others, and each packet overwrites the last.
type reused struct {
	ethernet layers.Ethernet
	ip4      layers.IPv4
	ip6      layers.IPv6
	tcp      layers.TCP
	udp      layers.UDP
	payload  gopacket.Payload
	v4, v6   *gopacket.DecodingLayerParser
	found    []gopacket.LayerType
}

func newReused(link dissect.LinkType) *reused {
	r := &reused{}
	first4, first6 := layers.LayerTypeIPv4, layers.LayerTypeIPv6
	if link == dissect.Ethernet {
		first4, first6 = layers.LayerTypeEthernet, layers.LayerTypeEthernet
	}
	known := []gopacket.DecodingLayer{&r.ethernet, &r.ip4, &r.ip6, &r.tcp, &r.udp, &r.payload}
	r.v4 = gopacket.NewDecodingLayerParser(first4, known...)
	r.v6 = gopacket.NewDecodingLayerParser(first6, known...)
	r.v4.IgnoreUnsupported, r.v6.IgnoreUnsupported = true, true
	return r
}

func (r *reused) decode(data []byte) {
	parser := r.v4
	if len(data) > 0 && data[0]>>4 == 6 {
		parser = r.v6
	}
	// What can't be decoded costs time as well, and is no matter here.
	_ = parser.DecodeLayers(data, &r.found)
}

// endregion

// atEnd is the error of a reader that has come to the end: none.
func atEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
