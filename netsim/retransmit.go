package netsim

import (
	"fmt"
	"time"
)

// What stands out about a packet in its flow. The words are Wireshark's; the
// judgement is made where the packet is sent, so that a packet is called a
// retransmission exactly when its sender sent these bytes before, and never "out of order".
const (
	noteRetransmission = "retransmission"
	noteFast           = "fast retransmission"
	noteSpurious       = "spurious retransmission"
	noteKeepAlive      = "keep-alive"
	noteKeepAliveACK   = "keep-alive ACK"
	noteZeroWindow     = "zero window"
	noteZeroProbe      = "zero window probe"
	noteUpdate         = "window update"
	noteOvertakes      = "overtakes"
	noteDuplicate      = "duplicate"
)

// promptly is how soon after an ACK with gaps a repetition counts as an answer
// to it, and not to a timer.
const promptly = 50 * time.Millisecond

// maxSends is how many segments of a direction are remembered with their time.
const maxSends = 256

// half is what one direction of a TCP connection has sent so far.
type half struct {
	begun    bool
	isn, end uint32 // the sequence numbers of the SYN, and after the last byte sent
	acked    bool   // ack and win are known
	ack      uint32
	win      uint16
	scale    int // of its windows; -1 before the SYN, and when it doesn't scale
	dup      int // duplicate ACKs in a row
	probe    bool
	gaps     []time.Duration // when ACKs that tell of gaps will arrive
	lastGap  time.Duration   // when the last one has; 0: none yet
	sends    []sending       // a ring
	next     int
}

// sending is when a stretch of sequence numbers was last sent.
type sending struct {
	seq, end uint32
	at       time.Duration
}

// verdict is what a flow knows about a packet.
type verdict struct {
	note       string
	seq, ack   uint32 // relative
	window     int    // in bytes
	retransmit bool
	after      time.Duration // since this was last sent; 0 if that is forgotten
}

// observe names the packet s, sent now in direction dir with the fate f, and
// remembers it.
func (fl *flow) observe(dir int, s *segment, now time.Duration, f fate) verdict {
	var v verdict
	if s.proto == protoTCP && s.flags != 0 {
		v = observeTCP(&fl.tcp[dir], &fl.tcp[1-dir], s, now, f)
	}
	if f.overtakes && v.note == "" {
		v.note = noteOvertakes
	}
	return v
}

// recall is what is known about a packet that was observed already, on the line
// before.
func (fl *flow) recall(dir int, s *segment) (v verdict) {
	d, peer := &fl.tcp[dir], &fl.tcp[1-dir]
	if s.proto == protoTCP && d.begun {
		v.seq, v.window = s.seq-d.isn, int(s.win)
		if s.has(flagACK) && peer.begun {
			v.ack = s.ack - peer.isn
		}
	}
	return v
}

func observeTCP(d, peer *half, s *segment, now time.Duration, f fate) verdict {
	if s.has(flagSYN) && (!d.begun || d.isn != s.seq) {
		*d = half{begun: true, isn: s.seq, end: s.seq, scale: wscale(s)}
		if !s.has(flagACK) {
			*peer = half{scale: -1} // a new connection on the same ports
		}
	}
	if !d.begun { // its SYN is forgotten, or it is a RST to a stranger
		*d = half{begun: true, isn: s.seq - 1, end: s.seq, scale: -1}
	}
	for len(peer.gaps) > 0 && peer.gaps[0] <= now {
		peer.lastGap, peer.gaps = peer.gaps[0], peer.gaps[1:]
	}
	v := verdict{seq: s.seq - d.isn, window: int(s.win)}
	if s.has(flagACK) && peer.begun {
		v.ack = s.ack - peer.isn
	}
	if !s.has(flagSYN) && d.scale > 0 && peer.scale >= 0 {
		v.window <<= d.scale
	}
	switch {
	case s.has(flagRST):
	case s.size() > 0:
		d.judge(peer, s, now, &v)
	default:
		d.judgeACK(peer, s, f, &v)
	}
	d.remember(s, now)
	return v
}

// judge names a segment that takes sequence numbers.
func (d *half) judge(peer *half, s *segment, now time.Duration, v *verdict) {
	d.probe = false
	end := s.seq + s.size()
	switch {
	case peer.acked && peer.win == 0 && s.length == 1 && !before(end, d.end):
		v.note, d.probe = noteZeroProbe, true
	case !before(s.seq, d.end): // new
	case s.size() == 1 && s.length == 1 && s.seq == d.end-1 && peer.acked && peer.ack == d.end:
		v.note, d.probe = noteKeepAlive, true
	default:
		v.retransmit = true
		switch {
		case peer.acked && !before(peer.ack, end):
			v.note = noteSpurious
		case peer.lastGap > 0 && now-peer.lastGap <= promptly && !s.has(flagSYN):
			v.note = noteFast
		default:
			v.note = noteRetransmission
		}
		v.after = d.since(s.seq, now)
	}
}

// judgeACK names a segment that only acknowledges.
func (d *half) judgeACK(peer *half, s *segment, f fate, v *verdict) {
	same := d.acked && s.ack == d.ack && s.seq == d.end
	gap := s.option(optionSACK) != nil
	switch {
	case s.seq == d.end-1 && d.acked:
		v.note, d.probe = noteKeepAlive, true
		return
	case s.win == 0:
		v.note = noteZeroWindow
	case same && peer.probe && s.win == d.win:
		v.note = noteKeepAliveACK
	case same && s.win != d.win && !gap:
		v.note = noteUpdate
	case same:
		d.dup++
		v.note, gap = fmt.Sprintf("dup ACK %d", d.dup), true
	}
	if gap && f.why == "" && len(d.gaps) < maxSends {
		d.gaps = append(d.gaps, f.arrive)
	}
	peer.probe = false
}

// remember takes note of what s says.
func (d *half) remember(s *segment, now time.Duration) {
	if s.has(flagACK) && !s.has(flagRST) {
		if d.ack != s.ack {
			d.dup = 0
		}
		d.acked, d.ack, d.win = true, s.ack, s.win
	}
	if s.size() == 0 || d.probe {
		return
	}
	end := s.seq + s.size()
	if before(d.end, end) {
		d.end = end
	}
	if len(d.sends) < maxSends {
		d.sends = append(d.sends, sending{})
	}
	d.sends[d.next%maxSends] = sending{s.seq, end, now}
	d.next++
}

// since is how long ago the byte at seq was last sent.
func (d *half) since(seq uint32, now time.Duration) time.Duration {
	for i := d.next - 1; i >= max(0, d.next-len(d.sends)); i-- {
		if at := d.sends[i%maxSends]; !before(seq, at.seq) && before(seq, at.end) {
			return now - at.at
		}
	}
	return 0
}

func wscale(s *segment) int {
	if v := s.option(optionWScale); len(v) == 1 {
		return int(min(v[0], 14)) // RFC 7323 section 2.3
	}
	return -1
}
