package turnsrv

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// shares counts what is held in total and by each holder, and bounds both.
type shares[K comparable] struct {
	total, each int

	mu   sync.Mutex
	held int
	by   map[K]int
}

func newShares[K comparable](total, each int) *shares[K] {
	return &shares[K]{total: total, each: each, by: make(map[K]int)}
}

// take adds one for the holder, unless a bound is reached.
func (s *shares[K]) take(holder K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held >= s.total || s.by[holder] >= s.each {
		return false
	}
	s.held++
	s.by[holder]++
	return true
}

// give takes one back from the holder.
func (s *shares[K]) give(holder K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	if s.by[holder]--; s.by[holder] == 0 {
		delete(s.by, holder)
	}
}

func (s *shares[K]) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// holder is whom an address is counted as: one IPv4 address, or one IPv6 /64,
// which is the least a single customer gets.
func holder(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// maxSources bounds how many client addresses the limiter remembers. The least
// recently seen is forgotten, which gives it a full bucket again.
const maxSources = 1 << 14

// limiter has a token bucket for each client address.
type limiter struct {
	rate    rate.Limit
	burst   int
	sources *lru.Cache[netip.Addr, *rate.Limiter]
}

func newLimiter(r Rate) (*limiter, error) {
	sources, err := lru.New[netip.Addr, *rate.Limiter](maxSources)
	return &limiter{rate.Limit(r.PerSecond), r.Burst, sources}, err
}

// allow takes a token of the client's address.
func (l *limiter) allow(client netip.Addr) bool {
	who := holder(client)
	bucket, known := l.sources.Get(who)
	if !known {
		bucket = rate.NewLimiter(l.rate, l.burst)
		if before, raced, _ := l.sources.PeekOrAdd(who, bucket); raced {
			bucket = before
		}
	}
	return bucket.AllowN(time.Now(), 1)
}
