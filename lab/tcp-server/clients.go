package tcpserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// clients are those of the lab itself, the same for each server.
type clients struct {
	run *lab.Run
	p   Params

	mu                  sync.Mutex
	sent, right, gaveUp int
}

// port is where the server is, by name, on either network.
const port = "server:7"

// tries and pause are for a client that finds the server busy.
const (
	tries = 30
	pause = 200 * time.Millisecond
)

// dial connects the client of that kind and number, "client-3". It returns nil
// if nobody listens any more, which is a result and not a fault.
func (cs *clients) dial(ctx context.Context, kind string, number int) (lane string, c net.Conn, err error) {
	h, err := cs.run.Host(kind + "-" + strconv.Itoa(number))
	if err != nil {
		return "", nil, err
	}
	c, err = h.DialContext(ctx, "tcp", port)
	if err != nil {
		cs.run.State(trace.TCP, h.Name(), "dial", err.Error())
		return h.Name(), nil, nil
	}
	return h.Name(), c, nil
}

// talk is one client that sends its lines and reads what comes back. A server
// that is busy is tried again.
func (cs *clients) talk(ctx context.Context, number int) error {
	for range tries {
		again, err := cs.converse(ctx, number)
		if err != nil || !again {
			return err
		}
		if err := cs.run.Sleep(ctx, pause); err != nil {
			return nil
		}
	}
	cs.mu.Lock()
	cs.gaveUp++
	cs.mu.Unlock()
	return nil
}

// converse is one connection of a talking client. again tells that the server
// was busy.
func (cs *clients) converse(ctx context.Context, number int) (again bool, err error) {
	lane, c, err := cs.dial(ctx, "client", number)
	if c == nil {
		return false, err
	}
	defer c.Close()
	answers := make(chan []string, 1)
	cs.run.Go(func(context.Context) error {
		answers <- readAnswers(c)
		return nil
	})
	sent := cs.write(ctx, c)
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // all is said; now listen to the end
	}
	got := <-answers
	if len(got) > 0 && got[0]+"\n" == busy {
		return true, nil
	}
	right := 0
	for i := range min(len(got), sent) {
		if got[i]+"\n" == string(answer(i+1, cs.line(i+1))) {
			right++
		}
	}
	cs.mu.Lock()
	cs.sent += sent
	cs.right += right
	cs.mu.Unlock()
	cs.run.State(trace.App, lane, "answers", fmt.Sprintf("%d lines sent, %d of %d answers right", sent, right, len(got)))
	return false, nil
}

// line is the text of a client's n-th line, without its end.
func (cs *clients) line(n int) []byte {
	text := fmt.Sprintf("line %d ", n)
	return []byte(text + strings.Repeat("x", max(0, cs.p.Size-len(text))))
}

// write sends the lines in the manner asked for, and tells how many.
func (cs *clients) write(ctx context.Context, c net.Conn) (sent int) {
	for n := 1; n <= cs.p.Messages; n++ {
		text := append(cs.line(n), '\n')
		lines := 1
		manner := cs.p.Writes
		if manner == "mixed" {
			manner = []string{"whole", "split", "glued"}[(n-1)%3]
		}
		var err error
		switch {
		case manner == "split":
			half := len(text) / 2
			if _, err = c.Write(text[:half]); err == nil {
				if err = cs.run.Sleep(ctx, cs.p.Pace/2); err == nil {
					_, err = c.Write(text[half:])
				}
			}
		case manner == "glued" && n < cs.p.Messages:
			n, lines = n+1, 2
			text = append(append(text, cs.line(n)...), '\n')
			fallthrough
		default:
			_, err = c.Write(text)
		}
		if err != nil {
			return sent
		}
		sent += lines
		if n < cs.p.Messages && cs.run.Sleep(ctx, cs.p.Pace) != nil {
			return sent
		}
	}
	return sent
}

// readAnswers reads lines until the server closes, or a reset or the end of the run ends it.
func readAnswers(c net.Conn) (got []string) {
	lines := bufio.NewScanner(c)
	for lines.Scan() && len(got) < 1000 {
		got = append(got, lines.Text())
	}
	return got
}

// silent connects and says nothing until the server has had enough.
func (cs *clients) silent(ctx context.Context, number int) error {
	_, c, err := cs.dial(ctx, "silent", number)
	if c == nil {
		return err
	}
	defer c.Close()
	readAnswers(c)
	return nil
}

// slow sends one byte after the other, well within any deadline for a byte.
func (cs *clients) slow(ctx context.Context, number int) error {
	_, c, err := cs.dial(ctx, "slow", number)
	if c == nil {
		return err
	}
	defer c.Close()
	done := make(chan struct{})
	cs.run.Go(func(context.Context) error {
		defer close(done)
		readAnswers(c)
		return nil
	})
	for _, b := range append(cs.line(1), '\n') {
		if _, err := c.Write([]byte{b}); err != nil {
			break
		}
		if cs.run.Sleep(ctx, pause) != nil {
			break
		}
	}
	c.Close()
	<-done
	return nil
}

// late is a client in the middle of a line while the server shuts down. It
// closes ready when the server has the first half, and sends the second one a
// moment after down. served tells that the server took it on before, answered
// that the line was answered.
func (cs *clients) late(ctx context.Context, ready chan<- struct{}, down <-chan struct{}) (served, answered bool, err error) {
	isReady := sync.OnceFunc(func() { close(ready) })
	defer isReady()
	for range tries {
		_, c, err := cs.dial(ctx, "late", 1)
		if c == nil {
			return false, false, err
		}
		defer c.Close()
		if _, err := c.Write([]byte("the first line\nthe second, ")); err != nil {
			return false, false, nil
		}
		answers := bufio.NewReader(c)
		first, err := answers.ReadString('\n')
		if err == nil && first != busy {
			isReady() // both went in one segment, so the server has the half line too
			return true, cs.lateLine(ctx, c, answers, down), nil
		}
		if cs.run.Sleep(ctx, pause) != nil {
			break
		}
	}
	return false, false, nil
}

func (cs *clients) lateLine(ctx context.Context, c net.Conn, answers *bufio.Reader, down <-chan struct{}) (answered bool) {
	select {
	case <-down:
	case <-ctx.Done():
		return false
	}
	if cs.run.Sleep(ctx, 100*time.Millisecond) != nil {
		return false
	}
	if _, err := c.Write([]byte("at last\n")); err != nil {
		return false
	}
	_, err := answers.ReadString('\n')
	return err == nil
}
