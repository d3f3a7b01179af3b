package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/procnet"
	"peerlab/trace"
)

// maxSenders is from how many addresses outside a server takes files, and maxFile how
// many bytes it holds of each.
const (
	maxSenders = 32
	maxFile    = 2 << 20
)

// fileServer receives files: one socket, one loop, a receiver for each sender.
type fileServer struct {
	stage *stage
	pc    net.PacketConn

	mu      sync.Mutex
	senders map[string]*upload
}

// upload is a file on its way from one sender, with what is known of how its
// pieces came.
type upload struct {
	receiver
	bytes                     int
	seen                      map[int]bool
	highest                   int // the highest number so far
	arrived, twice, overtaken int
	last                      time.Time
}

func (s *stage) serveFiles() error {
	pc, err := s.listen(filePort, "file")
	if err != nil {
		return err
	}
	if b, ok := pc.(interface{ SetReadBuffer(bytes int) error }); ok {
		if err := b.SetReadBuffer(s.p.Buffer << 10); err != nil {
			return fmt.Errorf("receive buffer: %w", err)
		}
	}
	s.files = &fileServer{stage: s, pc: pc, senders: map[string]*upload{}}
	s.run.Go(s.files.serve)
	return nil
}

// serve receives pieces until the socket is closed.
func (f *fileServer) serve(ctx context.Context) error {
	buf := make([]byte, largest)
	for {
		n, from, err := f.pc.ReadFrom(buf)
		if err != nil {
			return err
		}
		m, err := parse(buf[:n])
		count, ok := m.number(1, maxPieces+1)
		number, ok2 := m.number(0, count)
		if err != nil || m.verb != "DATA" || !ok || !ok2 {
			continue // to what makes no sense there is no answer
		}
		answer := f.piece(from, number, count, m.body)
		if err := f.stage.run.Sleep(ctx, f.stage.p.Work); err != nil {
			return nil
		}
		if answer == nil {
			continue
		}
		if _, err := f.pc.WriteTo(answer, from); err != nil && isClosed(err) {
			return err
		}
	}
}

// piece takes one piece of a file.
func (f *fileServer) piece(from net.Addr, number, count int, body []byte) (answer []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.senders[from.String()]
	if u == nil {
		if len(f.senders) >= maxSenders && f.stage.run.HostOf(from) == "" {
			return nil
		}
		u = &upload{receiver: &ordering{}, seen: map[int]bool{}, highest: -1}
		if f.stage.name == naive {
			u.receiver = &appending{}
		}
		f.senders[from.String()] = u
	}
	if u.bytes += len(body); u.bytes > maxFile {
		return nil
	}
	note := ""
	switch {
	case u.seen[number]:
		u.twice++
		note = "came before"
	case number < u.highest:
		u.overtaken++
		note = "was overtaken"
	}
	u.arrived++
	u.seen[number], u.highest, u.last = true, max(u.highest, number), time.Now()
	if run := f.stage.run; (note != "" || run.Network() == lab.Loopback) && f.stage.shown(from) {
		run.Message(trace.App, f.stage.nameOf(from), server, fmt.Sprintf("DATA %d of %d", number+1, count), note)
	}
	return u.take(number, count, body)
}

// of is what came from an address so far, nil if nothing.
func (f *fileServer) of(from net.Addr) *upload {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.senders[from.String()]
	if u == nil {
		return nil
	}
	copied := *u
	return &copied
}

// full is how many datagrams found no room in the receive buffer. The kernel
// counts them on the loopback, the emulated host on the link.
func (f *fileServer) full() (dropped uint64, err error) {
	at, err := netip.ParseAddrPort(f.pc.LocalAddr().String())
	if err != nil {
		return 0, fmt.Errorf("address of the server: %w", err)
	}
	if f.stage.run.Network() == lab.Link {
		for _, s := range f.stage.server.Sockets() {
			if s.Proto == "udp" && s.Local == at {
				dropped = s.Dropped
			}
		}
		return dropped, nil
	}
	own, err := procnet.UDP(func(s procnet.Socket) bool { return s.Local == at })
	for _, s := range own {
		dropped = s.Drops
	}
	return dropped, err
}

// state tells what the server has of the client's file.
func (f *fileServer) state(u *upload, count int) {
	f.stage.run.State(trace.App, server, "file", strconv.Itoa(len(u.seen))+" of "+lab.Plural(count, "piece"))
}
