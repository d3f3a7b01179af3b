package packets

import (
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/reassembly"

	"peerlab/dissect"
	"peerlab/tlsrecord"
)

// conversation is a TCP connection as both its streams: of the client, who
// began, and of the server.
type conversation struct {
	client, server stream
	port           string // of the server
}

// stream is one direction, in order and each byte once, with when each part of
// it had come.
type stream struct {
	data    []byte
	parts   []part
	missing bool // bytes that never came
}

type part struct {
	end int // of it in data
	at  time.Time
}

// Bounds of what is put together.
const (
	maxConversations = 64
	maxStream        = 1 << 20
)

func (s *stream) add(b []byte, at time.Time) {
	if room := maxStream - len(s.data); len(b) > room {
		b, s.missing = b[:room], true
	}
	s.data = append(s.data, b...)
	s.parts = append(s.parts, part{len(s.data), at})
}

// at is when the byte before end had come.
func (s *stream) at(end int) time.Time {
	for _, p := range s.parts {
		if p.end >= end {
			return p.at
		}
	}
	return time.Time{}
}

// reassemble puts the streams of all packets together. The library has seen
// files of all kinds; should one be too much for it, what there is has to do.
func reassemble(packets []seen) (all []conversation) {
	f := &factory{}
	defer func() {
		_ = recover()
		for _, c := range f.made {
			all = append(all, c.conversation)
		}
	}()
	f.feed(packets)
	return nil
}

// region reassemble

// feed gives the assembler every segment that arrived, in the order it was
// seen. It sorts them by sequence number, leaves out what came twice, and waits
// for what is missing; what waits at the end has a hole before it.
func (f *factory) feed(packets []seen) {
	assembler := reassembly.NewAssembler(reassembly.NewStreamPool(f))
	assembler.MaxBufferedPagesTotal = 4096
	assembler.MaxBufferedPagesPerConnection = 512
	for _, p := range packets {
		if p.lost {
			continue
		}
		decoded := gopacket.NewPacket(p.data, dissect.First(p.data, p.link), gopacket.NoCopy)
		segment, ok := decoded.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if !ok || decoded.NetworkLayer() == nil {
			continue
		}
		info := gopacket.CaptureInfo{Timestamp: p.at, CaptureLength: len(p.data), Length: len(p.data)}
		assembler.AssembleWithContext(decoded.NetworkLayer().NetworkFlow(), segment, &at{info})
	}
	assembler.FlushAll()
}

// ReassembledSG takes what comes next in one direction. The bytes are the
// assembler's own, and will be others soon: they are copied.
func (c *connection) ReassembledSG(sg reassembly.ScatterGather, _ reassembly.AssemblerContext) {
	direction, _, _, skipped := sg.Info()
	to := &c.client
	if (direction == reassembly.TCPDirServerToClient) != c.serverFirst {
		to = &c.server
	}
	to.missing = to.missing || skipped > 0
	if n, _ := sg.Lengths(); n > 0 {
		to.add(sg.Fetch(n), sg.CaptureInfo(n-1).Timestamp)
	}
}

// endregion

// at is when a segment was seen.
type at struct{ info gopacket.CaptureInfo }

func (a *at) GetCaptureInfo() gopacket.CaptureInfo { return a.info }

// factory makes a connection for each that turns up.
type factory struct{ made []*connection }

// New is told of the first segment that was seen. A capture may begin in the middle
// of a connection; then the lower port is taken for the server's.
func (f *factory) New(_, transport gopacket.Flow, first *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	from, to := transport.Endpoints()
	c := &connection{ignore: len(f.made) >= maxConversations}
	if c.serverFirst = first.SYN && first.ACK || !first.SYN && first.SrcPort < first.DstPort; c.serverFirst {
		to = from
	}
	c.port = to.String()
	if !c.ignore {
		f.made = append(f.made, c)
	}
	return c
}

type connection struct {
	conversation
	ignore      bool
	serverFirst bool // what was seen first of it came from the server
}

// Accept takes every segment of a connection that is kept, from whichever it begins with.
func (c *connection) Accept(_ *layers.TCP, _ gopacket.CaptureInfo, _ reassembly.TCPFlowDirection, _ reassembly.Sequence, start *bool, _ reassembly.AssemblerContext) bool {
	*start = true
	return !c.ignore
}

// ReassemblyComplete keeps the connection, as late segments of it may come.
func (c *connection) ReassemblyComplete(reassembly.AssemblerContext) bool { return false }

// record is a TLS record of a conversation.
type record struct {
	tlsrecord.Record
	fromClient bool
	at         time.Time
}

// records lists the TLS records of both directions in the order they came, as
// far as the streams are TLS.
func (c conversation) records() (all []record) {
	for _, s := range []struct {
		stream
		fromClient bool
	}{{c.client, true}, {c.server, false}} {
		for at := 0; ; {
			r, size, err := tlsrecord.Split(s.data[at:])
			if err != nil || size == 0 {
				break
			}
			at += size
			all = append(all, record{r, s.fromClient, s.at(at)})
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return a.at.Compare(b.at) })
	return all
}

// sides writes down what goes through the sockets of a client: what a program
// sees of its own connections, without a capture.
type sides struct {
	mu  sync.Mutex
	all []*conversation
}

func (s *sides) list() []conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []conversation
	for _, c := range s.all {
		all = append(all, *c)
	}
	return all
}

// watch is the connection, written down.
func (s *sides) watch(c net.Conn) net.Conn {
	_, port, _ := net.SplitHostPort(c.RemoteAddr().String())
	of := &conversation{port: port}
	s.mu.Lock()
	s.all = append(s.all, of)
	s.mu.Unlock()
	return &watched{Conn: c, sides: s, of: of}
}

type watched struct {
	net.Conn
	sides *sides
	of    *conversation
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.note(&w.of.server, b[:n])
	return n, err
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.note(&w.of.client, b[:n])
	return n, err
}

func (w *watched) note(s *stream, b []byte) {
	w.sides.mu.Lock()
	defer w.sides.mu.Unlock()
	if len(b) > 0 {
		s.add(b, time.Now())
	}
}
