package signaling

// The most that is kept of signals a member may have missed.
const (
	maxMissed      = 256
	maxMissedBytes = 256 << 10
)

// frame is one encoded message. A signal outlives the socket it was meant for.
type frame struct {
	data   []byte
	signal bool
}

// queue holds frames in order and forgets its memory when it runs empty.
type queue struct {
	frames []frame
	bytes  int
}

func (q *queue) push(f frame) {
	q.frames = append(q.frames, f)
	q.bytes += len(f.data)
}

func (q *queue) pop() (f frame, ok bool) {
	if len(q.frames) == 0 {
		return frame{}, false
	}
	f, q.frames[0] = q.frames[0], frame{}
	q.frames = q.frames[1:]
	q.bytes -= len(f.data)
	if len(q.frames) == 0 {
		q.frames = nil
	}
	return f, true
}

// keep is push that makes room by dropping the oldest.
func (q *queue) keep(f frame) {
	q.push(f)
	for len(q.frames) > maxMissed || q.bytes > maxMissedBytes {
		q.pop()
	}
}

// outbox is what a socket has to write, and which signals the other end has
// not confirmed. TCP takes bytes for a path that no longer exists for as long
// as it likes, so a signal counts as delivered when a ping behind it has been
// answered; what was not goes to the socket that resumes. It is guarded by the
// lock of its socket.
type outbox struct {
	waiting queue
	unacked queue  // signals written
	written uint64 // signals, ever
	acked   uint64 // of those
	asked   uint64 // what acked will be when the last ping is answered
}

// next returns the frame to write now.
func (o *outbox) next() (f frame, ok bool) {
	f, ok = o.waiting.pop()
	if ok && f.signal {
		o.unacked.keep(f)
		o.written++
	}
	return f, ok
}

// ask tells whether a ping is needed to learn what has arrived.
func (o *outbox) ask() bool { return o.asked == o.acked && o.written > o.acked }

// mark returns the number for a ping to carry. Its answer confirms all
// signals written so far.
func (o *outbox) mark() uint64 {
	o.asked = o.written
	return o.asked
}

// confirm is called with the number of a pong. It reports false for one that
// confirms nothing.
func (o *outbox) confirm(upTo uint64) bool {
	if upTo <= o.acked || upTo > o.asked {
		return false // unsolicited
	}
	o.acked = upTo
	for uint64(len(o.unacked.frames)) > o.written-o.acked {
		o.unacked.pop()
	}
	return true
}

// missed adds to q the signals that may not have arrived, oldest first.
func (o *outbox) missed(q *queue) {
	for _, f := range o.unacked.frames {
		q.keep(f)
	}
	for _, f := range o.waiting.frames {
		if f.signal {
			q.keep(f)
		}
	}
}
