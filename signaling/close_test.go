package signaling

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// TestTheServerClosesFirst has clients that answer the close frame and then
// keep their TCP connection: RFC 6455 section 7.1.1 wants the server to close
// it, at once.
func TestTheServerClosesFirst(t *testing.T) {
	for name, end := range map[string]func(r *rig, c *wire){
		"after bye":           func(_ *rig, c *wire) { c.send(`{"type":"bye"}`) },
		"after a bad message": func(_ *rig, c *wire) { c.send(`{`) },
		"on shutdown": func(r *rig, c *wire) {
			down := make(chan error)
			go func() { down <- r.Shutdown(c.t.Context()) }()
			r.t.Cleanup(func() { <-down })
			next[*envelope.Bye](c)
		},
		"when the client begins": func(_ *rig, c *wire) {
			c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			c, _ := r.join(r.room(), "Ada")
			end(r, c)
			for err := error(nil); ; {
				if _, err = c.read(); err == nil {
					continue // what it is told
				}
				if _, ok := errors.AsType[*websocket.CloseError](err); !ok {
					t.Fatal(err)
				}
				break // gorilla has answered
			}
			raw := c.ws.NetConn()
			start := time.Now()
			eventually(t, "the server closes", func() bool { return r.Stats().Sockets == 0 })
			if d := time.Since(start); d >= linger {
				t.Errorf("closed after %v", d)
			}
			raw.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.ReadAll(raw); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
}

// TestCloseFrameWithoutAnswer has clients that stay and say nothing more.
func TestCloseFrameWithoutAnswer(t *testing.T) {
	for name, end := range map[string]func(r *rig, c *wire){
		"after a bad message": func(_ *rig, c *wire) { c.send(`{`) },
		"on shutdown": func(r *rig, c *wire) {
			go r.Shutdown(context.WithoutCancel(c.t.Context())) // the rig's Close waits for the same
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tries = 5 // a busy machine is late, but not always
			var took time.Duration
			for range tries {
				r := newRig(t, Config{})
				c, _ := r.join(r.room(), "Ada")
				start := time.Now()
				end(r, c)
				eventually(t, "the server closes", func() bool { return r.Stats().Sockets == 0 })
				if took = time.Since(start); took < linger/2 {
					t.Fatalf("closed after %v, want %v", took, linger)
				}
				if took <= linger+slack {
					return
				}
			}
			t.Errorf("closed after %v the last time, and too late each time: want %v", took, linger)
		})
	}
}
