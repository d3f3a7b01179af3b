package peer

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v2"

	"peerlab/signaling"
)

// slowNet is a network whose UDP sockets send no faster than a link would:
// bits leave at a rate, wait in a buffer before it, and take a time to arrive.
// (The token bucket of vnet moves only when a packet arrives.)
type slowNet struct {
	transport.Net
	link slowLink
}

type slowLink struct {
	rate   float64       // bits a second
	delay  time.Duration // one way
	buffer time.Duration // of waiting, at most; what comes then is lost
}

func (n slowNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	s := &slowConn{UDPConn: c, link: n.link, queue: make(chan datagram, 1<<14), closed: make(chan struct{}), done: make(chan struct{})}
	go s.deliver()
	return s, nil
}

type datagram struct {
	data []byte
	to   net.Addr
	at   time.Time
}

type slowConn struct {
	transport.UDPConn
	link   slowLink
	queue  chan datagram
	closed chan struct{}
	done   chan struct{}
	once   sync.Once

	mu   sync.Mutex
	free time.Time // when the last bit that waits has left
}

func (c *slowConn) WriteTo(p []byte, to net.Addr) (int, error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.free.Before(now) {
		c.free = now
	}
	if c.free.Sub(now) > c.link.buffer {
		return len(p), nil
	}
	c.free = c.free.Add(time.Duration(float64(8*len(p)) / c.link.rate * float64(time.Second)))
	select {
	case c.queue <- datagram{append([]byte(nil), p...), to, c.free.Add(c.link.delay)}:
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	return len(p), nil
}

func (c *slowConn) deliver() {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case d := <-c.queue:
			timer.Reset(time.Until(d.at))
			select {
			case <-timer.C:
			case <-c.closed:
				return
			}
			_, _ = c.UDPConn.WriteTo(d.data, d.to)
		case <-c.closed:
			return
		}
	}
}

func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	<-c.done
	return c.UDPConn.Close()
}

// BenchmarkLoaded tells what else on a connection feels of bulk data: the
// round trip of a ping, which overtakes what waits to be sent, and of a chat
// message, which does not.
func BenchmarkLoaded(b *testing.B) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		link slowLink
	}{
		{"10Mbit/20ms/deep", slowLink{10e6, 10 * ms, time.Minute}},
		{"10Mbit/20ms/100ms", slowLink{10e6, 10 * ms, 100 * ms}},
		{"2Mbit/20ms/deep", slowLink{2e6, 10 * ms, time.Minute}},
		{"100Mbit/20ms/deep", slowLink{100e6, 10 * ms, time.Minute}},
		{"1Gbit/50ms/deep", slowLink{1e9, 25 * ms, time.Minute}},
		{"1Gbit/200ms/deep", slowLink{1e9, 100 * ms, time.Minute}},
	} {
		b.Run(c.name, func(b *testing.B) {
			stdnet, err := newRoomyNet()
			if err != nil {
				b.Fatal(err)
			}
			r := newRoom(b, signaling.Config{})
			_, _, ab, _ := r.pair(func(cfg *Config) { cfg.Net = slowNet{stdnet, c.link} })
			for b.Loop() {
				loaded(b, ab)
			}
		})
	}
}

func loaded(b *testing.B, l *Link) {
	ctx, cancel := context.WithTimeout(b.Context(), 60*time.Second)
	defer cancel()
	var slowest, total time.Duration
	var n int
	var chatting sync.WaitGroup
	running, end := context.WithCancel(ctx)
	chatting.Go(func() {
		for ; running.Err() == nil; n++ {
			start := time.Now()
			if l.Chat().Send(fmt.Sprint(n)) != nil || l.Chat().Wait(ctx) != nil {
				return
			}
			took := time.Since(start)
			slowest, total = max(slowest, took), total+took
			select {
			case <-time.After(100 * time.Millisecond):
			case <-running.Done():
			}
		}
	})
	res, err := l.Bench().Run(ctx, Upload, 10*time.Second, nil)
	rtt := l.Probe().RTT()
	end()
	chatting.Wait()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(res.Rate()*8/1e6, "Mbit/s")
	b.ReportMetric(float64(rtt.Median.Milliseconds()), "ms/ping")
	b.ReportMetric(float64(rtt.P95.Milliseconds()), "ms/ping95")
	b.ReportMetric(float64(rtt.Lost), "lost")
	b.ReportMetric(float64(total.Milliseconds())/float64(max(n, 1)), "ms/chat")
	b.ReportMetric(float64(slowest.Milliseconds()), "ms/chatmax")
}
