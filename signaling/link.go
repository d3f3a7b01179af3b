package signaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// errBadServer is an answer that no second attempt would change.
var errBadServer = errors.New("signaling: the server does not speak this protocol")

// link is one WebSocket of a Client.
type link struct {
	cfg    *ClientConfig
	ws     *websocket.Conn
	broken chan struct{} // closed by close
	pings  sync.WaitGroup

	mu sync.Mutex // one writer at a time
}

// connect opens a WebSocket and joins.
func (c *Client) connect(ctx context.Context, token string) (*link, *envelope.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Handshake)
	defer cancel()
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, NetDialContext: c.cfg.NetDial,
		ReadBufferSize: 1024, WriteBufferSize: 1024,
	}
	ws, resp, err := dialer.DialContext(ctx, c.url, c.cfg.Header)
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("the server answered %s", resp.Status)
			if permanent(resp.StatusCode) {
				err = fmt.Errorf("%w: %w", errBadServer, err)
			}
		}
		return nil, nil, fmt.Errorf("signaling: connect: %w", err)
	}
	l := &link{cfg: &c.cfg, ws: ws, broken: make(chan struct{})}
	stop := context.AfterFunc(ctx, l.interrupt)
	defer stop()
	welcome, err := l.join(token)
	if err == nil && !stop() {
		err = ctx.Err() // too late: the link is interrupted
	}
	if err != nil {
		ws.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, nil, fmt.Errorf("signaling: join: %w", err)
	}
	l.alive()
	l.pings.Go(l.keepAlive)
	return l, welcome, nil
}

// permanent tells whether asking again with the same request is pointless.
func permanent(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

func (l *link) join(token string) (*envelope.Welcome, error) {
	l.ws.SetPingHandler(func(data string) error {
		l.alive()
		err := l.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(linger))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	l.ws.SetPongHandler(func(string) error { l.alive(); return nil })
	j := &envelope.Join{Version: envelope.Version, Name: l.cfg.Name, Kind: l.cfg.Kind, Resume: token}
	data, err := envelope.Encode(j)
	if err != nil {
		return nil, err
	}
	if err := l.write(data); err != nil {
		return nil, err
	}
	m, err := l.read()
	if err != nil {
		return nil, err
	}
	welcome, ok := m.(*envelope.Welcome)
	if !ok {
		return nil, fmt.Errorf("%w: its first message is %T", errBadServer, m)
	}
	return welcome, nil
}

// read returns the next message that this version knows. A fatal error of the
// server is returned as one.
func (l *link) read() (envelope.Message, error) {
	for {
		_, in, err := l.ws.NextReader()
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		data, err := io.ReadAll(io.LimitReader(in, envelope.MaxSize+1))
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		l.alive()
		m, err := envelope.Decode(data)
		if errors.Is(err, envelope.ErrUnknownType) {
			continue // of a later version
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBadServer, err)
		}
		if e, ok := m.(*envelope.Error); ok && e.Fatal {
			return nil, e
		}
		return m, nil
	}
}

func (l *link) write(data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ws.SetWriteDeadline(time.Now().Add(l.cfg.Handshake))
	return l.ws.WriteMessage(websocket.TextMessage, data)
}

func (l *link) sayBye() error {
	data, err := envelope.Encode(&envelope.Bye{})
	if err != nil {
		return err
	}
	return l.write(data)
}

// alive gives the server another while to be silent in.
func (l *link) alive() { l.ws.SetReadDeadline(time.Now().Add(l.cfg.DeadAfter)) }

// keepAlive pings until the link closes. A ping that cannot be written needs
// no care: the silence that follows ends the link.
func (l *link) keepAlive() {
	ticker := time.NewTicker(l.cfg.PingAfter)
	defer ticker.Stop()
	for {
		select {
		case <-l.broken:
			return
		case <-ticker.C:
			l.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(linger))
		}
	}
}

// interrupt makes read and write fail, now and for ever.
func (l *link) interrupt() { l.ws.NetConn().Close() }

// close ends the link; run calls it once.
func (l *link) close() {
	close(l.broken)
	l.ws.Close()
	l.pings.Wait()
}
