package listendial_test

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"peerlab/lab/labtest"
)

// A crowd connects to the port of the walk all the time, says nothing and
// stays. The walk comes to its end, and has seen its own connections only.
// Not beside other tests, which it would hold up.
func TestACrowdAtThePortOfTheWalk(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Start(t, theLab(t), "network=loopback&stay=0&scene=states")
		at := net.JoinHostPort(r.Live("states.host"), r.Live("states.port"))
		var crowd sync.WaitGroup
		for range 2 {
			crowd.Go(func() { throng(at, r.Done()) })
		}
		r.Wait()
		crowd.Wait()
		if n := r.Fact("states", "states seen"); n != 11 {
			t.Errorf("%g of 11 states seen", n)
		}
		for end, want := range map[string][]string{
			"client": {"SYN-SENT", "ESTABLISHED", "FIN-WAIT1", "FIN-WAIT2", "TIME-WAIT"},
			"server": {"SYN-RCVD", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK"},
		} {
			if got := through(r, end, "closed in order"); !slices.Equal(got, want) {
				t.Errorf("the %s went through %v, want %v", end, got, want)
			}
		}
	})
}

// throng connects a few hundred times a second until it is over, and stays with the last of them.
func throng(at string, over <-chan struct{}) {
	const most = 100
	next := time.NewTicker(3 * time.Millisecond)
	defer next.Stop()
	var there []net.Conn
	defer func() {
		for _, c := range there {
			c.Close()
		}
	}()
	for {
		select {
		case <-over:
			return
		case <-next.C:
		}
		c, err := net.DialTimeout("tcp", at, 100*time.Millisecond)
		if err != nil {
			continue
		}
		if there = append(there, c); len(there) > most {
			there[0].Close()
			there = there[1:]
		}
	}
}
