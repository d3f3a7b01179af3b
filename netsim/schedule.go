package netsim

import (
	"container/heap"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// maxNap bounds a nap, during which a packet that is due earlier has to wait.
const maxNap = 250 * time.Microsecond

// flight is a packet on its way.
type flight struct {
	due  time.Duration
	n    uint64 // the packet's number: those due together arrive as they were sent
	to   node
	view *buffer.View
}

// flights is a heap, the next one to arrive on top.
type flights []*flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].due < f[j].due || f[i].due == f[j].due && f[i].n < f[j].n
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(*flight)) }
func (f *flights) Pop() any {
	last := len(*f) - 1
	top := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return top
}

// lateness is the error of the deliveries.
type lateness struct {
	count uint64
	sum   time.Duration
	max   time.Duration
}

func (l lateness) mean() time.Duration {
	if l.count == 0 {
		return 0
	}
	return l.sum / time.Duration(l.count)
}

// scheduler is the one goroutine that hands packets to their receivers.
type scheduler struct {
	net  *Net
	wake chan struct{} // has room for one: the top of the heap changed
	quit chan struct{}
	done chan struct{}
	once sync.Once

	mu   sync.Mutex
	heap flights
	late lateness
}

func newScheduler(n *Net) *scheduler {
	s := &scheduler{net: n, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

// stop ends the goroutine and forgets what is on its way.
func (s *scheduler) stop() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.heap {
		f.view.Release()
	}
	s.heap = nil
}

// add takes a packet to deliver.
func (s *scheduler) add(f *flight) {
	s.mu.Lock()
	heap.Push(&s.heap, f)
	first := s.heap[0] == f
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default: // it is awake, or will be
		}
	}
}

func (s *scheduler) lateness() lateness {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

func (s *scheduler) run() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var ready []*flight
	for {
		var wait time.Duration
		ready, wait = s.due(ready[:0])
		if len(ready) > 0 {
			s.deliver(ready)
			select {
			case <-s.quit:
				return
			default:
				continue
			}
		}
		if wait < shortest {
			select {
			case <-s.quit:
				return
			default:
				nap(min(wait, maxNap))
				continue
			}
		}
		timer.Reset(max(wait-shortest, 0))
		select {
		case <-s.quit:
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// due takes what has to be delivered now, or says how long there is nothing.
func (s *scheduler) due(ready []*flight) ([]*flight, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.net.begin)
	for len(s.heap) > 0 && s.heap[0].due <= now {
		f := heap.Pop(&s.heap).(*flight)
		late := now - f.due
		s.late.count++
		s.late.sum += late
		s.late.max = max(s.late.max, late)
		ready = append(ready, f)
	}
	if len(s.heap) == 0 {
		return ready, time.Hour
	}
	return ready, s.heap[0].due - now
}

func (s *scheduler) deliver(ready []*flight) {
	s.net.mu.Lock()
	for _, f := range ready {
		s.net.inFlight -= f.view.Size()
	}
	s.net.mu.Unlock()
	for i, f := range ready {
		f.to.receive(f.view)
		ready[i] = nil
	}
}
