package peer

import (
	"net"
	"testing"
	"time"

	"github.com/pion/turn/v2"

	"peerlab/signaling"
)

// BenchmarkFiles tells what a file transfer between two Go peers makes over
// the loopback: MB/s and allocations for a chunk of 48 KiB, both ends, hashes
// included.
func BenchmarkFiles(b *testing.B) {
	r := newRoom(b, signaling.Config{})
	_, _, ab, _ := r.pair(nil)
	b.ReportAllocs()
	b.SetBytes(fileChunk)
	data := Generated{Size: int64(b.N) * fileChunk}
	b.ResetTimer()
	t, err := ab.Files().Send(File{Offer: Offer{Name: "bench", Size: data.Size}, Source: data})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := t.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkChannel is what the bench channel measures in a second.
func BenchmarkChannel(b *testing.B) {
	r := newRoom(b, signaling.Config{})
	_, _, ab, _ := r.pair(nil)
	b.ReportAllocs()
	var bytes, seconds float64
	for b.Loop() {
		res, err := ab.Bench().Run(b.Context(), Upload, time.Second, nil)
		if err != nil {
			b.Fatal(err)
		}
		bytes += float64(res.Bytes)
		seconds += res.Took.Seconds()
	}
	b.ReportMetric(bytes/seconds/1e6, "MB/s")
}

// BenchmarkJoin tells how long it takes from joining a room, in which one
// other is, to four open channels.
func BenchmarkJoin(b *testing.B) {
	b.Run("direct", func(b *testing.B) { benchmarkJoin(b, newRoom(b, generous(signaling.Config{})), nil) })
	b.Run("relayed", func(b *testing.B) {
		relay := loopbackRelay(b)
		cfg := generous(signaling.Config{ICE: iceServers(relay)})
		benchmarkJoin(b, newRoom(b, cfg), func(c *Config) { c.RelayOnly = true })
	})
}

func benchmarkJoin(b *testing.B, r *room, adjust func(*Config)) {
	identity, err := NewIdentity()
	if err != nil {
		b.Fatal(err)
	}
	with := func(c *Config) {
		c.Identity = identity
		if adjust != nil {
			adjust(c)
		}
	}
	there := r.join("there", with)
	var total time.Duration
	for b.Loop() {
		start := time.Now()
		m := r.join("new", with)
		m.link()
		there.link()
		total += time.Since(start)
		m.stop()
	}
	b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "ms/join")
}

// generous lifts the limits that one address has.
func generous(cfg signaling.Config) signaling.Config {
	cfg.JoinRate, cfg.JoinBurst = 1000, 1000
	return cfg
}

func loopbackRelay(b *testing.B) string {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "peerlab", AuthHandler: relayAuth, LoggerFactory: silent(),
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
			},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	return conn.LocalAddr().String()
}
