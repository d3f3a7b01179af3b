package signaling

import (
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxAddresses is how many addresses a limit remembers. One that is forgotten
// starts afresh, which an attacker with that many addresses gains anyway.
const maxAddresses = 4096

// addressLimit is a token bucket for each client address.
type addressLimit struct {
	buckets *lru.Cache[netip.Addr, *rate.Limiter]
	rate    rate.Limit
	burst   int
}

func newAddressLimit(perSecond float64, burst int) (*addressLimit, error) {
	buckets, err := lru.New[netip.Addr, *rate.Limiter](maxAddresses)
	if err != nil {
		return nil, err
	}
	return &addressLimit{buckets, rate.Limit(perSecond), burst}, nil
}

// allow takes a token of addr, if there is one.
func (l *addressLimit) allow(addr netip.Addr) bool {
	fresh := rate.NewLimiter(l.rate, l.burst)
	bucket, known, _ := l.buckets.PeekOrAdd(addr, fresh)
	if !known {
		bucket = fresh
	} else {
		l.buckets.Get(addr) // used just now
	}
	return bucket.Allow()
}

// subject is the address that limits count for: an IPv6 customer has a whole
// /64 to choose from.
func subject(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
