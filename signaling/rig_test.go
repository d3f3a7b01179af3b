package signaling

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/leaks"
	"peerlab/signaling/envelope"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// patience is how long a test waits for what has to come.
const patience = 10 * time.Second

// rig is a Hub behind an HTTP server.
type rig struct {
	*Hub
	t    *testing.T
	addr string
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// newRig serves on a real socket.
func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	return serve(t, cfg, ln, d.DialContext)
}

// newNarrowRig serves on sockets with small buffers towards the clients.
func newNarrowRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, cfg, narrowListener{ln}, func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetReadBuffer(narrow)
	})
}

// narrow is the size of a small buffer; the system may double it.
const narrow = 32 << 10

type narrowListener struct{ net.Listener }

func (l narrowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return c, c.(*net.TCPConn).SetWriteBuffer(narrow)
}

// newPipeRig serves on pipes, which a synctest bubble can wait for.
func newPipeRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return serve(t, cfg, ln, ln.dial)
}

func serve(t *testing.T, cfg Config, ln net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *rig {
	t.Helper()
	hub, err := NewHub(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rooms/{room}/ws", func(w http.ResponseWriter, r *http.Request) {
		hub.ServeWS(w, r, r.PathValue("room"))
	})
	server := &http.Server{Handler: mux}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
		if err := hub.Close(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
	return &rig{Hub: hub, t: t, addr: ln.Addr().String(), dial: dial}
}

// room creates one.
func (r *rig) room() string {
	r.t.Helper()
	id, err := r.Create(netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// wire is a client that speaks JSON by hand.
type wire struct {
	t  testing.TB
	ws *websocket.Conn
}

// open connects without joining.
func (r *rig) open(room string) *wire {
	r.t.Helper()
	d := websocket.Dialer{NetDialContext: r.dial, HandshakeTimeout: patience}
	ws, _, err := d.Dial("ws://"+r.addr+"/rooms/"+room+"/ws", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ws.Close() })
	return &wire{r.t, ws}
}

// join connects, joins and returns the welcome.
func (r *rig) join(room, name string) (*wire, *envelope.Welcome) {
	r.t.Helper()
	c := r.open(room)
	c.send(`{"type":"join","v":1,"name":"` + name + `","kind":"browser"}`)
	return c, next[*envelope.Welcome](c)
}

func (r *rig) resume(room, token string) (*wire, *envelope.Welcome) {
	r.t.Helper()
	c := r.open(room)
	c.send(`{"type":"join","v":1,"name":"again","kind":"browser","resume":"` + token + `"}`)
	return c, next[*envelope.Welcome](c)
}

func (c *wire) send(text string) {
	c.t.Helper()
	c.ws.SetWriteDeadline(time.Now().Add(patience))
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *wire) want(to, want string) {
	c.t.Helper()
	c.send(`{"type":"signal","to":"` + to + `","session":1,"want":"` + want + `"}`)
}

func (c *wire) candidate(to, text string) {
	c.t.Helper()
	c.send(`{"type":"signal","to":"` + to + `","session":1,"candidate":{"candidate":"` + text + `"}}`)
}

// pong sends one, asked for or not.
func (c *wire) pong(data string) {
	c.t.Helper()
	if err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(patience)); err != nil {
		c.t.Fatalf("pong: %v", err)
	}
}

func (c *wire) read() (envelope.Message, error) {
	c.ws.SetReadDeadline(time.Now().Add(patience))
	_, data, err := c.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	return envelope.Decode(data)
}

// next reads a message, which has to be an M.
func next[M envelope.Message](c *wire) M {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatalf("wanted %T: %v", *new(M), err)
	}
	got, ok := m.(M)
	if !ok {
		c.t.Fatalf("got %T %+v, wanted %T", m, m, *new(M))
	}
	return got
}

// refused expects a fatal error of this code, then the close code.
func (c *wire) refused(code string, closeCode int) *envelope.Error {
	c.t.Helper()
	e := next[*envelope.Error](c)
	if e.Code != code || !e.Fatal || e.Message == "" {
		c.t.Errorf("got %+v, wanted a fatal %s", e, code)
	}
	c.closed(closeCode)
	return e
}

// closed expects the connection to end with this close code.
func (c *wire) closed(closeCode int) {
	c.t.Helper()
	m, err := c.read()
	if !websocket.IsCloseError(err, closeCode) {
		c.t.Errorf("got %+v, %v, wanted close code %d", m, err, closeCode)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
	case <-ctx.Done():
	}
	return nil, io.ErrClosedPipe
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe.test" }

var long = strings.Repeat("x", 300)
