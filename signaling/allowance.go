package signaling

import "golang.org/x/time/rate"

// allowance is how much a member may send. It is made for a socket and goes on
// with the member when that resumes: coming back does not refill it.
type allowance struct {
	messages *rate.Limiter // frames
	bytes    *rate.Limiter
	returns  *rate.Limiter // times it resumes
}

func newAllowance(cfg *Config) *allowance {
	return &allowance{
		messages: rate.NewLimiter(rate.Limit(cfg.MessageRate), cfg.MessageBurst),
		bytes:    rate.NewLimiter(rate.Limit(cfg.ByteRate), cfg.ByteBurst),
		returns:  rate.NewLimiter(rate.Limit(cfg.JoinRate), cfg.JoinBurst),
	}
}
