package slownetwork

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// region middleware

// slow lets each request wait before next sees it. The wait ends early if the
// client goes away, which time.Sleep would not notice.
func slow(next http.Handler, wait func() time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		t := time.NewTimer(wait())
		defer t.Stop()
		select {
		case <-t.C:
			next.ServeHTTP(w, req)
		case <-req.Context().Done():
		}
	})
}

// endregion

// roundTrips draws how long a request and its answer would be on their way:
// twice the delay, each moved by the jitter.
func roundTrips(delay, jitter time.Duration, seed uint64) func() time.Duration {
	var mu sync.Mutex
	luck := rand.New(rand.NewPCG(seed, 416))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		moved := time.Duration(float64(jitter) * 2 * (luck.Float64() + luck.Float64() - 1))
		return max(0, 2*delay+moved)
	}
}
