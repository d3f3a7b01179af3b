package netsim_test

import (
	"fmt"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"peerlab/netsim"
)

// spray sends count datagrams of size bytes from a to b's closed port 9,
// through as many sockets as flows, in turn. b answers with ICMP.
func (r *rig) spray(count, flows, size int) {
	r.Helper()
	var conns []net.Conn
	for range flows {
		c, err := r.a.DialContext(r.Context(), "udp", "b:9")
		if err != nil {
			r.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for i := range count {
		_, _ = conns[i%flows].Write(make([]byte, size)) // refused now and then, which clears it
		_, _ = conns[i%flows].Write(nil)
	}
}

// sent are the packets of one kind from a to b.
func (r *rig) sent(k netsim.Kind) (found []netsim.Packet) {
	for _, p := range r.seen() {
		if p.From == "a" && p.Kind == k {
			found = append(found, p)
		}
	}
	return found
}

// fates says of each packet whether it was lost, in a string to compare.
func fates(packets []netsim.Packet) string {
	b := make([]byte, len(packets))
	for i, p := range packets {
		if b[i] = '.'; p.Lost {
			b[i] = 'x'
		}
	}
	return string(b)
}

func TestLossIsWhatWasAskedFor(t *testing.T) {
	for _, loss := range []float64{0, 0.01, 0.1, 0.5, 1} {
		for name, flows := range map[string]int{"one flow": 1, "many flows": 300} {
			r := newRig(t, netsim.Config{Link: netsim.Link{Loss: loss, Seed: 3}})
			r.spray(1000, flows, 10)
			packets := r.sent(netsim.UDP)
			n, lost := float64(len(packets)), 0.0
			for _, p := range packets {
				if p.Lost {
					lost++
				}
			}
			deviation := math.Sqrt(n * loss * (1 - loss))
			t.Logf("%s, loss %.2f: %.0f of %.0f lost (%.4f)", name, loss, lost, n, lost/n)
			if n < 1500 || math.Abs(lost-n*loss) > 4*deviation {
				t.Errorf("%s, loss %.2f: %.0f of %.0f were lost, more than four deviations off", name, loss, lost, n)
			}
			_ = r.net.Close()
		}
	}
}

// perFlow is the fate of each packet of a kind by direction and flow.
func perFlow(packets []netsim.Packet) map[string]string {
	byFlow := make(map[string][]netsim.Packet)
	for _, p := range packets {
		key := fmt.Sprint(p.From, p.To, p.Flow, p.Kind)
		byFlow[key] = append(byFlow[key], p)
	}
	found := make(map[string]string)
	for key, list := range byFlow {
		found[key] = fates(list)
	}
	return found
}

func TestSeededRunsRepeatTheirLosses(t *testing.T) {
	run := func(seed uint64, loss float64, delay time.Duration, transfers int) map[string]string {
		r := newRig(t, netsim.Config{Link: netsim.Link{Delay: delay, Loss: loss, Seed: seed}, TCP: netsim.TCP{MinRTO: 20 * time.Millisecond}})
		defer r.net.Close()
		for range transfers {
			r.transfer(random(150_000))
		}
		r.spray(300, 3, 100)
		return perFlow(r.seen())
	}
	// same compares as many packets of each flow and kind as both runs had.
	same := func(a, b map[string]string) (compared, lost int, equal bool) {
		equal = true
		for key, x := range a {
			y := b[key]
			n := min(len(x), len(y))
			compared += n
			for i := range n {
				if x[i] == 'x' {
					lost++
				}
			}
			equal = equal && x[:n] == y[:n]
		}
		return compared, lost, equal
	}
	first := run(42, 0.05, time.Millisecond, 2)
	// Another delay makes another timing; the losses stay.
	n, lost, equal := same(first, run(42, 0.05, 3*time.Millisecond, 2))
	t.Logf("%d packets compared, %d lost", n, lost)
	if !equal || n < 800 || lost < 10 {
		t.Errorf("the same seed: equal %v over %d packets, %d of them lost", equal, n, lost)
	}
	if _, _, equal := same(first, run(43, 0.05, time.Millisecond, 0)); equal {
		t.Error("another seed loses the same packets")
	}
	// More loss loses what less loss did, and more.
	more := run(42, 0.15, time.Millisecond, 0)
	for key, x := range first {
		for i := range min(len(x), len(more[key])) {
			if x[i] == 'x' && more[key][i] != 'x' {
				t.Errorf("%s: packet %d is lost at 5 %% and not at 15 %%", key, i)
			}
		}
	}
}

func TestQueueDropsTheTail(t *testing.T) {
	// 1000 B at 1 kbit/s take 8 s: of 20 at once one is sent and 5 wait.
	r := newRig(t, netsim.Config{Link: netsim.Link{Rate: 1_000, Queue: 5, Delay: 10 * time.Millisecond}})
	c, err := r.a.DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 20 {
		if _, err := c.Write(make([]byte, 1000-28)); err != nil {
			t.Fatal(err)
		}
	}
	packets := r.sent(netsim.UDP)
	if got := fates(packets); got != "......xxxxxxxxxxxxxx" {
		t.Fatalf("fates of 20 at once: %s", got)
	}
	begin := packets[0].At // all are sent before the first has left
	for i, p := range packets[:6] {
		// each leaves when the line is free, and is on its way for the delay
		want := time.Duration(i+1)*8*time.Second + 10*time.Millisecond
		if got := p.Arrive.Sub(begin); got != want {
			t.Errorf("packet %d arrives after %v, not %v", i, got, want)
		}
	}
	if why := packets[6].Why; why != netsim.WhyQueue {
		t.Errorf("packet 6 was lost: %s", why)
	}
	if n := r.net.Stats().Lost[netsim.WhyQueue]; n != 14 {
		t.Errorf("%d lost by the queue, not 14", n)
	}
}

func TestOrder(t *testing.T) {
	for _, reorder := range []bool{false, true} {
		r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Reorder: reorder}})
		r.spray(200, 1, 10)
		packets := r.sent(netsim.UDP)
		ordered := slices.IsSortedFunc(packets, func(a, b netsim.Packet) int { return a.Arrive.Compare(b.Arrive) })
		named := slices.ContainsFunc(packets, func(p netsim.Packet) bool { return p.Note == "overtakes" })
		if ordered == reorder || named != reorder {
			t.Errorf("reorder %v: in order %v, overtaking named %v", reorder, ordered, named)
		}
		low, high := time.Hour, time.Duration(0)
		for _, p := range packets {
			low, high = min(low, p.Took()), max(high, p.Took())
		}
		// In order, packets sent at once wait for the slowest of those before them.
		if low < 10*time.Millisecond || high > 31*time.Millisecond || reorder && high-low < 10*time.Millisecond {
			t.Errorf("reorder %v: 20 ms ± 10 ms took %v to %v", reorder, low, high)
		}
	}
}

func TestSetCountsFromThen(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 5 * time.Millisecond}})
	r.spray(1, 1, 10)
	if err := r.net.Set(netsim.Link{Loss: 1, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	r.spray(1, 1, 10)
	if err := r.net.Set(netsim.Link{Delay: 7 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	r.spray(1, 1, 10)
	var took []time.Duration
	for _, p := range r.sent(netsim.UDP) {
		if len(p.Data) > 28 {
			took = append(took, p.Took())
		}
	}
	if want := []time.Duration{5 * time.Millisecond, 0, 7 * time.Millisecond}; !slices.Equal(took, want) {
		t.Errorf("packets took %v, not %v", took, want)
	}
	if l := r.net.Link(); l.Delay != 7*time.Millisecond || l.Seed != 0 {
		t.Errorf("the link is %+v", l)
	}
}

func TestAddressWithoutHost(t *testing.T) {
	r := newRig(t, netsim.Config{Subnet: 9})
	c, err := r.a.DialContext(t.Context(), "udp", "10.77.9.77:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("anyone?"))
	packets := r.seen()
	if len(packets) != 1 || packets[0].To != "10.77.9.77" || packets[0].Why != netsim.WhyNoHost {
		t.Errorf("packets to nobody: %+v", packets)
	}
}

func TestAFloodIsBounded(t *testing.T) {
	r := newRig(t, netsim.Config{MTU: 65_535, Link: netsim.Link{Delay: netsim.MaxDelay}})
	r.spray(1200, 1, 60_000)
	packets := r.sent(netsim.UDP)
	kept := 0
	for _, p := range packets {
		if !p.Lost {
			kept += len(p.Data)
		} else if p.Why != netsim.WhyFlood {
			t.Fatalf("a packet was lost: %s", p.Why)
		}
	}
	if len(packets) < 1200 || kept > 64<<20 || kept < 60<<20 {
		t.Errorf("of %d packets %d bytes are on their way", len(packets), kept)
	}
}
