package netsim

import (
	"fmt"
	"math"
	"time"
)

// DefaultQueue is the length of a queue whose Link says 0, in packets.
const DefaultQueue = 100

// Limits of a Link.
const (
	MaxDelay = 30 * time.Second // of Delay and of Jitter
	MinRate  = 1_000            // bit/s
	MaxQueue = 10_000           // packets
)

// maxInFlight bounds the bytes of all packets of a net that have left and not
// arrived, so that a flood over a long delay can't fill the memory. It is room
// for sixteen TCP connections with the largest window.
const maxInFlight = 64 << 20

// Link is how the line between two hosts behaves, the same in both directions.
// The zero Link is a perfect one.
type Link struct {
	// Delay is the time a packet is on its way after it has been sent in full:
	// half of what it adds to the round-trip time.
	Delay time.Duration
	// Jitter moves each packet's delay by a uniform draw from [-Jitter, +Jitter];
	// the sum is never below zero.
	Jitter time.Duration
	// Reorder lets a packet with less jitter overtake earlier ones. Without it
	// each direction keeps its order: a packet then waits for those before it,
	// which makes the mean delay of packets sent close together a little longer.
	Reorder bool
	// Loss is the probability, 0 to 1, that a packet is lost on the way. It is
	// drawn for each packet independently. A lost packet has used its share of the rate.
	Loss float64
	// Duplicate is the probability, 0 to 1, that a packet which is not lost arrives twice. The
	// copy is made on the way: it is never lost, and takes nothing of the rate.
	Duplicate float64
	// Rate is how fast packets are put on the line, in bits per second of IP
	// packets; 0 is at once.
	Rate int64
	// Queue is how many packets wait for the line beside the one being sent; when it is full,
	// what comes next is dropped. 0 is DefaultQueue. Without a Rate it never fills.
	Queue int
	// Seed makes losses and jitter repeatable, see the package comment. It
	// counts at New; Set does not change it.
	Seed uint64
}

// Validate tells which field is out of its limits; the error is ErrConfig.
func (l Link) Validate() error {
	switch {
	case l.Delay < 0 || l.Delay > MaxDelay:
		return fmt.Errorf("%w: delay %v is not within 0 and %v", ErrConfig, l.Delay, MaxDelay)
	case l.Jitter < 0 || l.Jitter > MaxDelay:
		return fmt.Errorf("%w: jitter %v is not within 0 and %v", ErrConfig, l.Jitter, MaxDelay)
	case math.IsNaN(l.Loss) || l.Loss < 0 || l.Loss > 1:
		return fmt.Errorf("%w: loss %v is not within 0 and 1", ErrConfig, l.Loss)
	case math.IsNaN(l.Duplicate) || l.Duplicate < 0 || l.Duplicate > 1:
		return fmt.Errorf("%w: duplicate %v is not within 0 and 1", ErrConfig, l.Duplicate)
	case l.Rate != 0 && l.Rate < MinRate:
		return fmt.Errorf("%w: rate %d bit/s is neither 0 nor at least %d", ErrConfig, l.Rate, MinRate)
	case l.Queue < 0 || l.Queue > MaxQueue:
		return fmt.Errorf("%w: queue of %d packets is not within 0 and %d", ErrConfig, l.Queue, MaxQueue)
	}
	return nil
}

func (l Link) queue() int {
	if l.Queue == 0 {
		return DefaultQueue
	}
	return l.Queue
}

// Why a packet was lost.
const (
	WhyLoss   = "lost on the link"
	WhyQueue  = "queue full"
	WhyAction = "dropped by action"
	WhyNoHost = "no such host"
	WhyFlood  = "too many packets on the way"
)

// Why a NAT did not send a packet on.
const (
	WhyNoMapping = "no mapping in the NAT"
	WhyFiltered  = "filtered by the NAT"
	WhyBlocked   = "UDP is blocked"
	WhyNoHairpin = "the NAT does not hairpin"
	WhyNoPort    = "no port left in the NAT"
	WhyProtocol  = "not a protocol that the NAT translates"
	WhyFragment  = "a part without its first one"
	WhyMalformed = "malformed"
	WhyTTL       = "time to live is over"
)

// path is one direction between two hosts: its clock and its queue. Times are
// since the net began.
type path struct {
	free    time.Duration   // when the line has sent all that was given to it
	leaving []time.Duration // when each packet not yet sent in full will be
	last    time.Duration   // the latest arrival promised so far
}

// again decides about the copy of a packet with the fate f, which is delayed
// anew, beginning when the first one arrives.
func (p *path) again(f fate, l Link, jitterDraw float64) fate {
	twin := fate{arrive: f.arrive + time.Duration(jitterDraw*float64(l.Jitter))}
	if twin.overtakes = twin.arrive < p.last; twin.overtakes && !l.Reorder {
		twin.arrive, twin.overtakes = p.last, false
	}
	p.last = max(p.last, twin.arrive)
	return twin
}

// fate is what becomes of one packet.
type fate struct {
	arrive    time.Duration
	why       string // not empty: lost
	overtakes bool   // it arrives before one that was sent earlier
}

// send decides about a packet of size bytes given to the line at now. drop is
// a reason to lose it before the queue; the draws are uniform in [0, 1).
func (p *path) send(now time.Duration, size int, l Link, drop string, lossDraw, jitterDraw float64) fate {
	for len(p.leaving) > 0 && p.leaving[0] <= now {
		p.leaving = p.leaving[1:]
	}
	switch {
	case drop != "":
		return fate{why: drop}
	case len(p.leaving) > l.queue(): // one is being sent, the others wait
		return fate{why: WhyQueue}
	}
	sent := max(now, p.free)
	if l.Rate > 0 {
		sent += time.Duration(float64(size) * 8 * float64(time.Second) / float64(l.Rate))
	}
	if p.free = sent; sent > now {
		p.leaving = append(p.leaving, sent)
	}
	if lossDraw < l.Loss {
		return fate{why: WhyLoss}
	}
	arrive := sent + max(0, l.Delay+time.Duration((2*jitterDraw-1)*float64(l.Jitter)))
	overtakes := arrive < p.last
	if overtakes && !l.Reorder {
		arrive, overtakes = p.last, false
	}
	p.last = max(p.last, arrive)
	return fate{arrive: arrive, overtakes: overtakes}
}
