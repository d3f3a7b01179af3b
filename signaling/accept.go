package signaling

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

func newUpgrader(cfg Config) websocket.Upgrader {
	return websocket.Upgrader{
		HandshakeTimeout: cfg.WriteTimeout,
		// Small, as most sockets are idle most of the time: large messages
		// bypass the read buffer, and the write buffer is borrowed.
		ReadBufferSize:  256,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     cfg.CheckOrigin,
	}
}

// ServeWS answers a WebSocket upgrade for a room, which need not exist: that
// is told after join, the same for every room that cannot be entered. It
// returns as soon as the socket is open.
func (h *Hub) ServeWS(w http.ResponseWriter, r *http.Request, room string) {
	if !h.reserve() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "no more sockets now", http.StatusServiceUnavailable)
		return
	}
	s := &socket{
		hub: h, addr: subject(h.cfg.ClientAddr(r)),
		// Clones, because parts of a request keep all of it alive.
		asked: strings.Clone(room), host: strings.Clone(r.Host),
		opened: time.Now(),
		limits: newAllowance(&h.cfg),
	}
	meter := &meteredWriter{ResponseWriter: w, limit: s.limits.bytes}
	ws, err := h.upgrader.Upgrade(meter, r, nil)
	if err != nil { // the client has its answer
		h.log.Debug("upgrade", "addr", s.addr, "err", err)
		h.release()
		return
	}
	s.ws = ws
	s.heard.Store(int64(time.Since(h.started)))
	if !h.admit(s) {
		ws.Close()
		h.release()
	}
}

// reserve takes a place for one more socket.
func (h *Hub) reserve() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.open >= h.cfg.MaxSockets {
		return false
	}
	h.open++
	return true
}

func (h *Hub) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}

// admit starts a socket, at the expense of the oldest of its address that has
// not joined when there are too many of those.
func (h *Hub) admit(s *socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	if waiting := h.unjoined[s.addr]; len(waiting) >= h.cfg.MaxUnjoined {
		oldest := waiting[0]
		h.spokeLocked(oldest)
		oldest.fail(fatal(envelope.CodeRateLimited, "too many connections from your address have not joined a room"))
	}
	h.unjoined[s.addr] = append(h.unjoined[s.addr], s)
	h.sockets[s] = struct{}{}
	h.wg.Go(s.serve)
	return true
}
