package webrtc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
	"peerlab/trace"
)

// signalingPort is where the relay of signals listens.
const signalingPort = ":80"

// signal is what one peer tells the other through the server: a description or
// a candidate.
type signal struct {
	Description *pion.SessionDescription `json:"description,omitempty"`
	Candidate   *pion.ICECandidateInit   `json:"candidate,omitempty"`
}

func (s signal) String() string {
	switch {
	case s.Description != nil:
		return s.Description.Type.String()
	case s.Candidate != nil:
		return "candidate"
	}
	return "empty signal"
}

// region signaling

// relay passes what each of two peers says on to the other one; a is there
// first. It need not understand any of it.
func relay(r *lab.Run, l net.Listener) error {
	defer l.Close()
	var peers [2]net.Conn
	for i := range peers {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("signaling: %w", err)
		}
		peers[i] = c
	}
	for i, from := range peers {
		to, name := peers[1-i], []string{"peer-b", "peer-a"}[i]
		r.Go(func(context.Context) error {
			for in, out := json.NewDecoder(from), json.NewEncoder(to); ; {
				var s signal
				if in.Decode(&s) != nil || out.Encode(s) != nil {
					return to.Close() // one is gone, and the other one learns of it
				}
				r.Message(trace.App, "server", name, s.String(), "")
			}
		})
	}
	return nil
}

// endregion

// line is a peer's connection to the server.
type line struct {
	r    *lab.Run
	peer string
	conn net.Conn
	in   *json.Decoder

	mu  sync.Mutex
	out *json.Encoder
}

// dialServer connects a peer to the relay.
func dialServer(ctx context.Context, r *lab.Run, h *lab.Host) (*line, error) {
	c, err := h.DialContext(ctx, "tcp", "server"+signalingPort)
	if err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	return &line{r: r, peer: h.Name(), conn: c, in: json.NewDecoder(c), out: json.NewEncoder(c)}, nil
}

// send tells the other peer; from any goroutine.
func (l *line) send(s signal, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r.Message(trace.App, l.peer, "server", s.String(), text)
	if err := l.out.Encode(s); err != nil {
		return fmt.Errorf("signaling: %s sends %s: %w", l.peer, s, err)
	}
	return nil
}

// receive waits for the next signal.
func (l *line) receive() (s signal, err error) {
	if err = l.in.Decode(&s); err != nil {
		return s, fmt.Errorf("signaling: %s receives: %w", l.peer, err)
	}
	return s, nil
}
