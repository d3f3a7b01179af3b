package proxy

import "sync/atomic"

// region pool

// pool lends buffers for copying bodies. ReverseProxy makes a new one of 32 KiB
// for every answer if it has none to borrow from. With no room the pool keeps
// nothing, which is the same, but counted.
type pool struct {
	free chan []byte
	made atomic.Int64
	lent atomic.Int64
}

func newPool(room int) *pool { return &pool{free: make(chan []byte, room)} }

// Get lends a buffer.
func (p *pool) Get() []byte {
	p.lent.Add(1)
	select {
	case b := <-p.free:
		return b
	default:
		p.made.Add(1)
		return make([]byte, 32<<10)
	}
}

// Put takes a buffer back, or lets it go if there are enough.
func (p *pool) Put(b []byte) {
	select {
	case p.free <- b:
	default:
	}
}

// endregion
