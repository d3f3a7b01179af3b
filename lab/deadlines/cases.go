package deadlines

import (
	"context"
	"io"
	"net"
	"time"
)

// kase is one way for a client to be slow.
type kase struct {
	name, what string
	send       func(ctx context.Context, t *table, c net.Conn)
	reads      bool // the client reads what comes
	answer     bool // what it is about is the answer, not the end of the connection
}

const request = " HTTP/1.1\r\nHost: server\r\n"

// cases are the rows of the table.
var cases = []kase{
	{name: "says nothing", what: "connects, and is silent", reads: true,
		send: func(context.Context, *table, net.Conn) {}},
	{name: "drips its header", what: "sends a byte of its header now and then", reads: true,
		send: func(ctx context.Context, t *table, c net.Conn) {
			t.drip(ctx, c, "GET /"+request+"X-More: ")
		}},
	{name: "drips its body", what: "sends its header at once, and a byte of the body now and then; the handler waits for all of it", reads: true, answer: true,
		send: func(ctx context.Context, t *table, c net.Conn) {
			io.WriteString(c, "POST /body"+request+"Content-Length: 100000\r\n\r\n")
			t.drip(ctx, c, "")
		}},
	{name: "asks for slow work", what: "is quick, but the handler is not: it takes two deadlines", reads: true, answer: true,
		send: func(_ context.Context, _ *table, c net.Conn) { io.WriteString(c, "GET /work"+request+"\r\n") }},
	{name: "does not read", what: "asks for 8 MiB and reads none of it",
		send: func(_ context.Context, _ *table, c net.Conn) {
			small(c, c)
			io.WriteString(c, "GET /big"+request+"\r\n")
		}},
	{name: "stays idle", what: "gets its answer, and keeps the connection", reads: true,
		send: func(_ context.Context, _ *table, c net.Conn) { io.WriteString(c, "GET /"+request+"\r\n") }},
}

// drip sends text byte by byte, and then more of the same, until ctx ends or
// nobody listens.
func (t *table) drip(ctx context.Context, c net.Conn, text string) {
	for i := 0; ; i++ {
		b := byte('x')
		if i < len(text) {
			b = text[i]
		}
		if _, err := c.Write([]byte{b}); err != nil || t.run.Sleep(ctx, max(t.p.Pace, 10*time.Millisecond)) != nil {
			return
		}
	}
}
