package signaling

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// Hub keeps the rooms and serves the sockets of their members. Make one with
// NewHub and end it with Close or Shutdown.
type Hub struct {
	cfg      Config
	log      *slog.Logger
	upgrader websocket.Upgrader
	joins    *addressLimit
	creates  *addressLimit
	counts   counts
	started  time.Time // the zero of socket.heard

	wg   sync.WaitGroup // sockets, their writers, the ticker
	stop chan struct{}  // closed when the Hub ends

	mu       sync.Mutex
	closed   bool
	rooms    map[string]*room
	sockets  map[*socket]struct{}
	open     int                      // sockets, those that are being upgraded included
	unjoined map[netip.Addr][]*socket // by address, the oldest first
}

// NewHub starts a Hub.
func NewHub(cfg Config) (*Hub, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	joins, err := newAddressLimit(cfg.JoinRate, cfg.JoinBurst)
	if err != nil {
		return nil, fmt.Errorf("signaling: limit joins: %w", err)
	}
	creates, err := newAddressLimit(cfg.CreateRate, cfg.CreateBurst)
	if err != nil {
		return nil, fmt.Errorf("signaling: limit new rooms: %w", err)
	}
	h := &Hub{
		cfg: cfg, log: cfg.Logger, joins: joins, creates: creates,
		upgrader: newUpgrader(cfg),
		started:  time.Now(),
		stop:     make(chan struct{}),
		counts:   counts{told: map[string]uint64{}},
		rooms:    map[string]*room{},
		sockets:  map[*socket]struct{}{},
		unjoined: map[netip.Addr][]*socket{},
	}
	h.wg.Go(h.tick)
	return h, nil
}

// Create makes an empty room and returns its id: 26 characters of base32, 130
// random bits. It fails with ErrTooManyRooms, ErrRateLimited (for this addr)
// or ErrClosed.
func (h *Hub) Create(addr netip.Addr) (string, error) {
	if !h.creates.allow(subject(addr)) {
		return "", ErrRateLimited
	}
	r := &room{id: strings.ToLower(rand.Text()), hub: h, members: map[string]*member{}, empty: time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return "", ErrClosed
	case len(h.rooms) >= h.cfg.MaxRooms:
		return "", ErrTooManyRooms
	}
	h.rooms[r.id] = r
	h.counts.created.Add(1)
	h.log.Info("room created", "room", short(r.id))
	return r.id, nil
}

// Exists tells whether a room can be joined.
func (h *Hub) Exists(room string) bool { return h.room(room) != nil }

// Peers returns the members of a room in the order of their arrival, and
// nothing for a room that does not exist.
func (h *Hub) Peers(room string) []envelope.Peer {
	r := h.room(room)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var peers []envelope.Peer
	for _, m := range r.othersLocked(nil) {
		peers = append(peers, m.peer)
	}
	return peers
}

// Join makes this process a member of a room, of kind go. The Local stays one
// until it is closed, dropped, or the Hub ends. The error is an
// *envelope.Error when the room or the name is at fault.
func (h *Hub) Join(ctx context.Context, room, name string) (*Local, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("signaling: join: %w", err)
	}
	j := &envelope.Join{Version: envelope.Version, Name: name, Kind: envelope.Go}
	if err := envelope.Validate(j); err != nil {
		return nil, refusal(err)
	}
	l := &Local{ready: make(chan struct{}, 1), hub: h}
	if e := l.join(h.room(room), j); e != nil {
		h.counts.tell(e.Code)
		return nil, e
	}
	return l, nil
}

func (h *Hub) room(id string) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[id]
}

func (h *Hub) allRooms() []*room {
	h.mu.Lock()
	defer h.mu.Unlock()
	rooms := make([]*room, 0, len(h.rooms))
	for _, r := range h.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}

func (h *Hub) remove(r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms, r.id)
}

// tick does all that time does, until the Hub ends.
func (h *Hub) tick() {
	ticker := time.NewTicker(h.cfg.tick())
	defer ticker.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-ticker.C:
			h.sweep(time.Now())
		}
	}
}

func (h *Hub) sweep(now time.Time) {
	for _, r := range h.allRooms() {
		if r.sweep(now) {
			h.remove(r)
			h.log.Info("room ended", "room", short(r.id))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sockets {
		s.sweep(now)
	}
}

// Shutdown says bye to all members, waits until their sockets are closed and
// every goroutine of the Hub has ended. When ctx is done, it closes what is
// still open and returns the error of ctx.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.stop)
	}
	sockets := make([]*socket, 0, len(h.sockets))
	for s := range h.sockets {
		sockets = append(sockets, s)
	}
	h.mu.Unlock()

	for _, r := range h.allRooms() {
		r.shutdown()
		h.remove(r)
	}
	for _, s := range sockets {
		s.end(&envelope.Bye{Reason: "shutdown"}) // those that have not joined
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.wg.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, s := range sockets {
			s.kill()
		}
		<-done
		return fmt.Errorf("signaling: shutdown: %w", ctx.Err())
	}
}

// Close is Shutdown with two seconds for the goodbyes.
func (h *Hub) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return h.Shutdown(ctx)
}

// forget removes a socket from the lists of the Hub.
func (h *Hub) forget(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sockets, s)
	h.open--
	h.spokeLocked(s)
}

// spoke takes a socket off the list of those that have not joined.
func (h *Hub) spoke(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.spokeLocked(s)
}

func (h *Hub) spokeLocked(s *socket) {
	waiting := h.unjoined[s.addr]
	i := slices.Index(waiting, s)
	switch {
	case i < 0:
	case len(waiting) == 1:
		delete(h.unjoined, s.addr)
	default:
		h.unjoined[s.addr] = slices.Delete(waiting, i, i+1)
	}
}
