package peer

import (
	"testing"
	"time"

	"peerlab/signaling"
)

// BenchmarkChannel tells what one data channel between two Go peers carries
// over the loopback: MB/s as the receiver counts, allocations for 48 KiB.
func BenchmarkChannel(b *testing.B) {
	r := newRoom(b, signaling.Config{})
	_, _, ab, _ := r.pair(nil)
	b.ReportAllocs()
	b.SetBytes(benchChunk)
	data := Generated{Size: int64(b.N) * benchChunk}
	b.ResetTimer()
	t, err := ab.Files().Send(File{Offer: Offer{Name: "bench", Size: data.Size}, Source: data})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := t.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBench is the same with the bench channel, without hashing.
func BenchmarkBench(b *testing.B) {
	r := newRoom(b, signaling.Config{})
	_, _, ab, _ := r.pair(nil)
	var bytes, took float64
	for b.Loop() {
		res, err := ab.Bench().Run(b.Context(), Upload, time.Second, nil)
		if err != nil {
			b.Fatal(err)
		}
		bytes += float64(res.Bytes)
		took += res.Took.Seconds()
	}
	b.ReportMetric(bytes/took/1e6, "MB/s")
}
