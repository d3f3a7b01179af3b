package throttle

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// region writer

// writer passes bytes on no faster than its limiter allows. It cuts what it is
// given into chunks of the bucket's size: a WaitN for more than that is an
// error, as no amount of waiting would ever fill the bucket so far.
type writer struct {
	ctx     context.Context
	to      io.Writer
	limiter *rate.Limiter
	flush   func() error // sends what is buffered; otherwise it leaves in lumps
}

func (w *writer) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		chunk := p[:min(len(p), w.limiter.Burst())]
		if err := w.limiter.WaitN(w.ctx, len(chunk)); err != nil {
			return written, err
		}
		n, err := w.to.Write(chunk)
		written += n
		if err == nil {
			err = w.flush()
		}
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

// endregion
