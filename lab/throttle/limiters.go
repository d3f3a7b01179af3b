package throttle

import (
	"fmt"
	"net/http"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// The variants: whose bucket pays for a request.
const (
	perClient = "per-client"
	global    = "global"
	forwarded = "forwarded"
)

// limiters hold the buckets of a server.
type limiters interface {
	// of finds the bucket that pays for a request of that client, and its name.
	of(client string, req *http.Request) (bucket string, l *rate.Limiter)
	// kept counts the buckets in memory.
	kept() int
	// shown are the buckets worth drawing, by name; at most maxShown.
	shown() map[string]*rate.Limiter
}

// maxShown is how many buckets are drawn at most.
const maxShown = 12

// newLimiters makes those of a variant; gone is told of a bucket that was
// forgotten.
func newLimiters(p Params, variant string, gone func(bucket string)) (limiters, error) {
	limit := rate.Limit(p.Rate)
	switch variant {
	case perClient:
		cache, err := lru.NewWithEvict(p.Keep, func(name string, _ *rate.Limiter) { gone(name) })
		if err != nil {
			return nil, fmt.Errorf("buckets: %w", err)
		}
		return &byClient{limit: limit, burst: p.Burst, buckets: cache}, nil
	case global:
		// As much as three buckets of one client each, so that the server gives
		// out the same in every variant.
		return &forAll{rate.NewLimiter(3*limit, 3*p.Burst)}, nil
	case forwarded:
		return &byHeader{limit: limit, burst: p.Burst, buckets: map[string]*rate.Limiter{}}, nil
	}
	return nil, fmt.Errorf("no limiter %q", variant)
}

// region per-client

// byClient has a bucket for each client, known by where its connection comes
// from. The cache has a fixed size: a new client pushes out the one that was
// quiet for longest, whose bucket has most likely filled up again anyway.
type byClient struct {
	limit   rate.Limit
	burst   int
	buckets *lru.Cache[string, *rate.Limiter]
}

func (b *byClient) of(client string, _ *http.Request) (string, *rate.Limiter) {
	if l, ok := b.buckets.Get(client); ok {
		return client, l
	}
	fresh := rate.NewLimiter(b.limit, b.burst)
	// Two first requests may come at the same time: one bucket wins.
	if l, ok, _ := b.buckets.PeekOrAdd(client, fresh); ok {
		return client, l
	}
	return client, fresh
}

// endregion

func (b *byClient) kept() int { return b.buckets.Len() }

func (b *byClient) shown() map[string]*rate.Limiter {
	all := map[string]*rate.Limiter{}
	for _, name := range b.buckets.Keys() {
		if l, ok := b.buckets.Peek(name); ok && len(all) < maxShown {
			all[name] = l
		}
	}
	return all
}

// region global

// forAll has one bucket, and whoever is first takes it all.
type forAll struct{ bucket *rate.Limiter }

func (b *forAll) of(string, *http.Request) (string, *rate.Limiter) { return "everybody", b.bucket }

// endregion

func (b *forAll) kept() int { return 1 }

func (b *forAll) shown() map[string]*rate.Limiter {
	return map[string]*rate.Limiter{"everybody": b.bucket}
}

// region forwarded

// byHeader believes X-Forwarded-For, which anybody can write, and never
// forgets a bucket.
type byHeader struct {
	limit   rate.Limit
	burst   int
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func (b *byHeader) of(client string, req *http.Request) (string, *rate.Limiter) {
	if said := req.Header.Get("X-Forwarded-For"); said != "" {
		client = said[:min(len(said), 64)]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.buckets[client]
	if l != nil {
		return client, l
	}
	l = rate.NewLimiter(b.limit, b.burst)
	if len(b.buckets) < maxForged { // for this lab's sake: the mistake has no such line
		b.buckets[client] = l
	}
	return client, l
}

// endregion

// maxForged keeps this lab itself from running out of memory.
const maxForged = 20_000

func (b *byHeader) kept() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buckets)
}

// shown is nothing: there is one for every request, used once.
func (b *byHeader) shown() map[string]*rate.Limiter { return nil }
