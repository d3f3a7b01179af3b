package dnslab

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

// cache keeps answers. Answers last as long as their zone says.
type cache struct {
	mu      sync.Mutex
	entries map[cacheKey]entry
}

type cacheKey struct {
	name  string
	qtype uint16
}

type entry struct {
	answer *dns.Msg
	stored time.Time
	ttl    time.Duration
}

const (
	// maxEntries bounds the cache: who asks for ever new names fills it.
	maxEntries = 500
	// longest is how long anything is kept, whatever its zone says.
	longest = 24 * time.Hour
)

func newCache() *cache { return &cache{entries: map[cacheKey]entry{}} }

func keyOf(q dns.Question) cacheKey { return cacheKey{dns.CanonicalName(q.Name), q.Qtype} }

// region cache

// get finds an answer that may still be used. Its records have the time they
// have left, so that who keeps them in turn does not keep them longer.
func (c *cache) get(q dns.Question) (*dns.Msg, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[keyOf(q)]
	age := time.Since(e.stored)
	if !ok || age >= e.ttl {
		delete(c.entries, keyOf(q))
		return nil, false
	}
	m := e.answer.Copy()
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			h := rr.Header()
			h.Ttl -= min(h.Ttl, uint32(age/time.Second))
		}
	}
	return m, true
}

// put keeps an answer, a "no" as well.
func (c *cache) put(q dns.Question, m *dns.Msg) {
	ttl := min(lifetime(m), longest)
	if ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roomLocked()
	c.entries[keyOf(q)] = entry{m.Copy(), time.Now(), ttl}
}

// lifetime is for how long an answer may be used: as long as its shortest
// record, so that a chain of aliases ends with its first broken link. A "no"
// has its time in the SOA record (RFC 2308 section 5). Failures are not kept.
func lifetime(m *dns.Msg) time.Duration {
	if m.Truncated || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0
	}
	ttl, found := uint32(0), false
	shorten := func(to uint32) {
		if !found || to < ttl {
			ttl, found = to, true
		}
	}
	for _, rr := range m.Answer {
		shorten(rr.Header().Ttl)
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			shorten(min(soa.Hdr.Ttl, soa.Minttl))
		}
	}
	return time.Duration(ttl) * time.Second
}

// endregion

// roomLocked makes room for one more: those out of time go, or else any one.
func (c *cache) roomLocked() {
	if len(c.entries) < maxEntries {
		return
	}
	for k, e := range c.entries {
		if time.Since(e.stored) >= e.ttl {
			delete(c.entries, k)
		}
	}
	for k := range c.entries {
		if len(c.entries) < maxEntries {
			return
		}
		delete(c.entries, k)
	}
}
