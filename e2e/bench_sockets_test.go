package e2e

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestBenchIdleSockets measures what a member who says nothing costs the server
// in memory.
func TestBenchIdleSockets(t *testing.T) {
	onlyForFigures(t)
	const members, perRoom, perAddress = 5000, 8, 40 // what one address may do at once
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Max < members+200 {
		t.Skipf("%d sockets need as many files: ulimit -n is %d (%v)", members, files.Max, err)
	}
	s := startServer(t, nil)
	before := memory(t, s.Process, "VmRSS")
	began := time.Now()
	var room string
	for i := range members {
		from := source(i / perAddress)
		if i%perRoom == 0 {
			room = s.roomFrom(from)
		}
		m := s.join(t, from, room, "member")
		go func() { // answers pings
			m.ws.SetReadDeadline(time.Time{})
			for {
				if _, _, err := m.ws.ReadMessage(); err != nil {
					return
				}
			}
		}()
	}
	joined := time.Since(began)
	full := memory(t, s.Process, "VmRSS")
	if n := s.metrics()["peerlab_peers"]; n != members {
		t.Fatalf("there are %v members, want %d", n, members)
	}
	// Time for pings, for the collector, and for memory to go back to the system.
	<-time.After(time.Minute)
	rest := memory(t, s.Process, "VmRSS")
	load := cpu(t, s.Process)
	<-time.After(20 * time.Second)
	load = cpu(t, s.Process) - load
	each := func(rss int) string { return fmt.Sprintf("%.1f KiB", float64(rss-before)/members/1024) }
	t.Logf("%d members joined in %v; the server's memory was %d MiB before", members, joined.Round(time.Millisecond), before>>20)
	t.Log(table([][]string{
		{"resident memory", "all", "for each member"},
		{"when all had joined", fmt.Sprintf("%d MiB", full>>20), each(full)},
		{"after a minute", fmt.Sprintf("%d MiB", rest>>20), each(rest)},
	}))
	t.Logf("processor time with all of them idle: %.1f %% of one core", 100*load.Seconds()/20)
}

// source dials from the n-th address of the loopback, which has many: most
// limits are for an address.
func source(n int) vantage {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(n/250), 1+byte(n%250))}}
}

func (s *server) roomFrom(from vantage) string {
	s.t.Helper()
	at := *s
	at.from = from
	return at.room()
}
