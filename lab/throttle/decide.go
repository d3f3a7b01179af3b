package throttle

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// decision is what was decided about one request.
type decision struct {
	client, bucket string
	allowed        bool
	left           float64       // tokens in the bucket after it
	retry          time.Duration // when there will be one again
}

// region decide

// limit lets a request through for one token of the bucket that pays for it,
// and otherwise says when to come again.
func limit(all limiters, who func(*http.Request) string, told func(decision), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d := decision{client: who(req)}
		var l *rate.Limiter
		d.bucket, l = all.of(d.client, req)
		now := time.Now()
		d.allowed = l.AllowN(now, 1)
		d.left = l.TokensAt(now)
		d.retry = untilToken(d.left, l.Limit())
		told(d)
		if !d.allowed {
			// In whole seconds, rounded up: too early would be refused again.
			seconds := strconv.Itoa(int(math.Ceil(d.retry.Seconds())))
			w.Header().Set("Retry-After", seconds)
			http.Error(w, "Too many requests. Come again in "+seconds+" s.", http.StatusTooManyRequests)
			return
		}
		w.Header().Set("X-Tokens-Left", fmt.Sprintf("%.1f", d.left))
		next.ServeHTTP(w, req)
	})
}

// untilToken is how long it takes until there is a whole token. Asking the
// limiter with Reserve and Cancel instead would lose tokens when two requests
// do it at the same time: only the latest reservation can be given back.
func untilToken(left float64, r rate.Limit) time.Duration {
	return time.Duration(max(1-left, 0) / float64(r) * float64(time.Second))
}

// endregion
