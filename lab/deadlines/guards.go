package deadlines

import (
	"net"
	"net/http"
	"time"
)

// The three servers that slow clients come to.
const (
	naive    = "naive"
	idleOnly = "idle"
	fixed    = "fixed"
)

// region guards

// guarded makes the server of that kind, and the listener that it is to have.
func guarded(kind string, d time.Duration, l net.Listener, h http.Handler) (*http.Server, net.Listener) {
	switch kind {
	case naive: // the zero value waits for ever, everywhere
		return &http.Server{Handler: h}, l
	case idleOnly: // each Read may take so long
		return &http.Server{Handler: h}, idleListener{l, d}
	default:
		return &http.Server{
			Handler:           h,
			ReadHeaderTimeout: d,     // from the first byte that is waited for to the end of the header
			ReadTimeout:       2 * d, // to the end of the body
			WriteTimeout:      3 * d, // from the end of the header to that of the answer
			IdleTimeout:       d,     // between two requests
		}, l
	}
}

// endregion

// idleListener accepts connections with a deadline for each Read.
type idleListener struct {
	net.Listener
	within time.Duration
}

func (l idleListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return idleConn{c, l.within}, nil
}
