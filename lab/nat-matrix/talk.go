package natmatrix

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/pion/ice/v2"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
)

const (
	pollEvery = 100 * time.Millisecond // how often pairs are looked at
	downFor   = 2 * time.Second        // before an automatic restart
	firstEcho = 10 * time.Second       // is waited for at most, whatever Stay says
)

// talk is a pair that connects and then speaks, while people break things.
type talk struct {
	scene   *scene
	pair    *pair
	p       Params
	r       *lab.Run
	actions chan string

	broken    time.Time // when a person broke it; zero: not, or noticed
	down      time.Time // since when it is not connected
	restarted bool

	mu           sync.Mutex
	sent, echoed int
	asked        map[uint32]time.Time // not echoed yet
	through      time.Time            // when the last one that came back was sent
	trips        []time.Duration
}

func newTalk(sc *scene, pr *pair, p Params) *talk {
	return &talk{scene: sc, pair: pr, p: p, r: sc.run, actions: make(chan string, 16), asked: map[uint32]time.Time{}}
}

// run connects and, if that works, talks for as long as asked for.
func (k *talk) run(ctx context.Context) error {
	polling, stop := context.WithCancel(ctx)
	var polled sync.WaitGroup
	polled.Add(1)
	k.r.Go(func(context.Context) error {
		defer polled.Done()
		for k.r.Sleep(polling, pollEvery) == nil {
			k.pair.a.pairs()
			k.pair.b.pairs()
		}
		return nil
	})
	defer polled.Wait()
	defer stop()

	out, err := k.pair.connect(ctx)
	if err != nil {
		return err
	}
	k.pair.a.pairs()
	k.pair.b.pairs()
	verdict(k.r, k.scene, out)
	k.r.Cell(k.scene.setup.a.String(), k.scene.setup.b.String(), out.text(), map[string]string{"why": k.scene.predict().Rule, "candidates": out.candidates()})
	k.r.Fact("connected", bit(out.kind != nat.Fails), "of 1")
	if out.kind == nat.Fails {
		k.r.Fact("until given up", out.took.Seconds(), "s")
		return nil
	}
	k.r.Fact("relayed", bit(out.kind == nat.Relayed), "of 1")
	k.r.Fact("until connected", out.took.Seconds(), "s")
	defer k.facts()
	k.listen()
	return k.stay(ctx)
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// listen lets b echo what it gets, and a time the echoes. Both end with the
// agents.
func (k *talk) listen() {
	k.r.Go(func(context.Context) error {
		buf := make([]byte, 64)
		for {
			n, err := k.pair.conns[1].Read(buf)
			if err != nil {
				return nil
			}
			_, _ = k.pair.conns[1].Write(buf[:n]) // while there is no path nothing can be sent
		}
	})
	k.r.Go(func(context.Context) error {
		buf := make([]byte, 64)
		for {
			n, err := k.pair.conns[0].Read(buf)
			if err != nil {
				return nil
			}
			if n == 4 {
				k.answered(binary.BigEndian.Uint32(buf))
			}
		}
	})
}

func (k *talk) answered(number uint32) {
	k.mu.Lock()
	sent, ok := k.asked[number]
	delete(k.asked, number)
	if !ok {
		k.mu.Unlock()
		return
	}
	trip := time.Since(sent)
	k.through = sent
	k.echoed++
	k.trips = append(k.trips, trip)
	k.mu.Unlock()
	k.r.Message(trace.App, "peer-b", "peer-a", fmt.Sprintf("echo %d", number), "")
	k.r.Sample(trace.App, "peer-a", "round trip", float64(trip.Microseconds())/1000, "ms")
}

// say sends the next message.
func (k *talk) say() {
	k.mu.Lock()
	k.sent++
	number := uint32(k.sent)
	k.asked[number] = time.Now()
	k.mu.Unlock()
	_, err := k.pair.conns[0].Write(binary.BigEndian.AppendUint32(nil, number))
	text := ""
	if err != nil {
		text = err.Error()
	}
	k.r.Add(trace.Event{Kind: trace.Message, Layer: trace.App, From: "peer-a", To: "peer-b", Name: fmt.Sprintf("message %d", number), Text: text, Lost: err != nil})
}

// stay talks, and takes actions, until the time is over.
func (k *talk) stay(ctx context.Context) error {
	begin := time.Now()
	over := time.NewTimer(k.p.Stay)
	defer over.Stop()
	tick, look := time.NewTicker(k.p.Pace), time.NewTicker(pollEvery/2)
	defer tick.Stop()
	defer look.Stop()
	k.say()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			if k.heard() || time.Since(begin) > k.p.Stay+firstEcho {
				return nil
			}
			over.Reset(pollEvery) // the first message is on its way
		case <-tick.C:
			k.say()
		case <-look.C:
			if err := k.watch(); err != nil {
				return err
			}
		case action := <-k.actions:
			if err := k.act(action); err != nil {
				return err
			}
		}
	}
}

// heard tells whether anything came back yet.
func (k *talk) heard() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.echoed > 0
}

// unharmed tells whether nothing was broken, or it made no difference: what was
// said afterwards came back.
func (k *talk) unharmed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.broken.IsZero() || k.through.After(k.broken)
}

// watch notices that the path is down or up again, and restarts ICE if it is to.
func (k *talk) watch() error {
	up := connected(k.pair.a.now()) && connected(k.pair.b.now())
	switch {
	case up && !k.down.IsZero():
		k.r.Fact("time to recover", time.Since(k.down).Seconds(), "s")
		k.r.Note("Connected again, %.2f s after the path was down.", time.Since(k.down).Seconds())
		k.down, k.restarted, k.broken = time.Time{}, false, time.Time{}
	case !up && k.down.IsZero() && k.restarted:
		k.down = time.Now()
		k.r.Note("The checks begin anew, and nothing is sent until they are through.")
	case !up && k.down.IsZero():
		k.down = time.Now()
		if !k.unharmed() {
			k.r.Fact("until it was noticed", time.Since(k.broken).Seconds(), "s")
		}
		k.r.Note("No consent to send any more: a is %s, b is %s.", k.pair.a.named(), k.pair.b.named())
	}
	failed := k.pair.a.now() == ice.ConnectionStateFailed || k.pair.b.now() == ice.ConnectionStateFailed
	if !up && k.p.Restart == "auto" && !k.restarted && (failed || time.Since(k.down) > downFor) {
		if k.pair.a.busy() || k.pair.b.busy() {
			return nil // at the next look
		}
		k.restarted = true
		k.r.Note("ICE restarts by itself.")
		return k.pair.restart()
	}
	if failed && k.restarted && k.p.Restart == "auto" {
		k.restarted = false // and once more, as long as it takes
	}
	return nil
}

// act does what a person asked for.
func (k *talk) act(action string) error {
	switch action {
	case "expire-a", "expire-b":
		nats := k.scene.nats[action[len(action)-1]-'a']
		if len(nats) == 0 {
			k.r.Note("There is no NAT before %s that could forget.", action[len(action)-1:])
			return nil
		}
		for _, n := range nats {
			k.r.Note("%d mappings forgotten by %s.", n.Expire(), n.Name())
		}
		k.broken = time.Now()
	case "move-a":
		if len(k.scene.nats[0]) == 0 {
			k.r.Note("A has no NAT: its own address does not change in this lab.")
			return nil
		}
		outermost := k.scene.nats[0][0]
		now, err := outermost.Readdress()
		if err != nil {
			return fmt.Errorf("another address for a: %w", err)
		}
		k.scene.moved(outermost)
		k.r.Note("%s is %s outside now.", outermost.Name(), now)
		k.broken = time.Now()
	case "cut", "restore":
		link := k.r.Settings().Link()
		if action == "cut" {
			link.Loss = 1
			k.broken = time.Now()
		}
		if err := k.r.Net().Set(link); err != nil {
			return fmt.Errorf("%s the line: %w", action, err)
		}
	case "restart":
		if k.pair.a.busy() || k.pair.b.busy() {
			k.r.Note("Not now: candidates are still being gathered.")
			return nil
		}
		k.restarted = true
		return k.pair.restart()
	}
	return nil
}

// facts tells what was counted.
func (k *talk) facts() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.r.Fact("messages sent", float64(k.sent), "messages")
	k.r.Fact("messages echoed", float64(k.echoed), "messages")
	if len(k.trips) > 0 {
		k.r.Fact("round trip, median", float64(lab.Median(k.trips).Microseconds())/1000, "ms")
	}
}
