package webrtc

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// place is where a message travels: a connection, told by its port, a stream of
// it, and which message of that stream it is.
type place struct {
	port    uint16
	stream  uint16
	message uint32
}

// parcel is a message and when it was where.
type parcel struct {
	sent, arrived, delivered time.Time // zero: not yet
}

// load is numbered messages from a to b over one channel or several, on one
// connection or several.
type load struct {
	scene    *scene
	r        *lab.Run
	peers    []*pion.PeerConnection // a and b of each connection
	channels []*pion.DataChannel    // a's
	timed    bool                   // its messages have a lifetime
	late     bool                   // the run is nearly over, and not all is there
	places   []place                // of the next message of each channel

	mu        sync.Mutex
	parcels   []parcel
	at        map[place]time.Time // when a message arrived whole, by the packets
	number    map[int]place       // by the message's number
	got       int
	overtaken int // delivered after one that was sent later
	newest    int
	change    chan struct{} // something was delivered; holds one
	roomy     chan struct{} // less is queued; holds one
	window    time.Time     // when the current window of throughput began
	windowed  int           // bytes in it
}

// newLoad prepares the connections, on the i-th internet. Each has its own port, and channels that
// both sides know of.
func newLoad(r *lab.Run, name string, i, connections, channels int, init pion.DataChannelInit) (*load, error) {
	l := &load{at: map[place]time.Time{}, number: map[int]place{}, newest: -1, change: make(chan struct{}, 1), roomy: make(chan struct{}, 1)}
	var err error
	if l.scene, err = newScene(r, name, i, false, l.tap); err != nil {
		return nil, err
	}
	l.r = l.scene.r
	l.scene.introduce("peer-a", "peer-b")
	for i := range connections {
		port := firstPort + uint16(i)
		for _, h := range l.scene.hosts {
			pc, err := newPeer(l.r, h, manner{retry: 100 * time.Millisecond}, port, port)
			if err != nil {
				return l, err
			}
			l.peers = append(l.peers, pc)
		}
		for id := range channels {
			if err := l.add(l.peers[2*i], l.peers[2*i+1], port, uint16(id), init); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

// add makes one channel.
func (l *load) add(a, b *pion.PeerConnection, port, id uint16, init pion.DataChannelInit) error {
	yes := true
	init.Negotiated, init.ID = &yes, &id
	name := fmt.Sprintf("channel %d", id)
	in, err := b.CreateDataChannel(name, &init)
	if err != nil {
		return fmt.Errorf("%s of b: %w", name, err)
	}
	in.OnMessage(func(m pion.DataChannelMessage) { l.deliver(m.Data) })
	out, err := a.CreateDataChannel(name, &init)
	if err != nil {
		return fmt.Errorf("%s of a: %w", name, err)
	}
	out.SetBufferedAmountLowThreshold(lowWater)
	out.OnBufferedAmountLow(func() { poke(l.roomy) })
	l.channels = append(l.channels, out)
	l.places = append(l.places, place{port: port, stream: id})
	return nil
}

// highWater is how much all channels together may have queued, lowWater where one
// tells that there is room again.
const highWater, lowWater = 64 << 10, 8 << 10

// poke wakes whoever waits.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// open connects them on a perfect line, and then makes the line lose packets.
func (l *load) open(ctx context.Context, losing float64) error {
	ctx, cancel := context.WithTimeout(ctx, patience+40*l.r.Settings().Delay)
	defer cancel()
	if err := l.scene.lose(0); err != nil {
		return err
	}
	opened := make(chan struct{}, len(l.channels))
	for _, dc := range l.channels {
		dc.OnOpen(func() { opened <- struct{}{} })
	}
	for i := 0; i < len(l.peers); i += 2 {
		if err := join(ctx, l.peers[i], l.peers[i+1]); err != nil {
			return err
		}
	}
	for range l.channels {
		select {
		case <-opened:
		case <-ctx.Done():
			return fmt.Errorf("open %d channels: %w", len(l.channels), ctx.Err())
		}
	}
	return l.scene.lose(losing)
}

// send sends the next message over channel i. It waits while too much is
// queued: what waits in a queue is late already.
func (l *load) send(ctx context.Context, i, size int) error {
	for l.queued() > highWater {
		select {
		case <-l.roomy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	body := make([]byte, size)
	l.mu.Lock()
	number := len(l.parcels)
	binary.BigEndian.PutUint32(body, uint32(number))
	l.parcels = append(l.parcels, parcel{sent: time.Now()})
	l.number[number] = l.places[i]
	l.places[i].message++
	l.mu.Unlock()
	if err := l.channels[i].Send(body); err != nil {
		return fmt.Errorf("send message %d: %w", number, err)
	}
	return nil
}

func (l *load) queued() (n uint64) {
	for _, dc := range l.channels {
		n += dc.BufferedAmount()
	}
	return n
}

// tap notes when the last piece of a message arrives at b, whether SCTP can hand it over then or not.
func (l *load) tap(p netsim.Packet) {
	if p.From != "peer-a" || p.Lost {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range p.Chunks {
		at := place{p.Src.Port(), c.Stream, c.Message}
		if c.First && c.Last && l.at[at].IsZero() {
			l.at[at] = p.Arrive
		}
	}
}

// deliver notes that b has been given a message, and how old it is.
func (l *load) deliver(body []byte) {
	if len(body) < 4 {
		return
	}
	now, number := time.Now(), int(binary.BigEndian.Uint32(body))
	l.mu.Lock()
	defer l.mu.Unlock()
	if number >= len(l.parcels) || !l.parcels[number].delivered.IsZero() {
		return
	}
	m := &l.parcels[number]
	m.arrived, m.delivered = l.at[l.number[number]], now
	l.got++
	if number < l.newest {
		l.overtaken++
	}
	l.newest = max(l.newest, number)
	l.rateLocked(now, len(body))
	l.r.Sample(trace.App, "peer-b", "age of a message", round(now.Sub(m.sent)), "ms")
	poke(l.change)
}

// rateLocked charts the throughput, by the tenth of a second.
func (l *load) rateLocked(now time.Time, size int) {
	const each = 100 * time.Millisecond
	if l.window.IsZero() {
		l.window = now
	}
	l.windowed += size
	if took := now.Sub(l.window); took >= each {
		l.r.Sample(trace.App, "peer-b", "throughput", round1(float64(l.windowed)/took.Seconds()/1000), "kB/s")
		l.window, l.windowed = now, 0
	}
}

// settle waits until all messages have been delivered, or, where some may be
// given up, until nothing has come for a while.
func (l *load) settle(ctx context.Context, quiet time.Duration) error {
	t := time.NewTimer(quiet)
	defer t.Stop()
	for l.missing() > 0 {
		select {
		case <-l.change:
			t.Reset(quiet)
		case <-t.C:
			if l.queued() == 0 {
				return nil
			}
			t.Reset(quiet)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *load) missing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parcels) - l.got
}

// close ends the connections.
func (l *load) close() { _ = closeAll(l.peers...) }
