package signaling

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab/signaling/envelope"
)

// outlet is where the messages for a member go. Neither method blocks.
type outlet interface {
	// push queues a frame and tells whether there was room for it. An outlet
	// that has ended takes it and forgets it.
	push(f frame) bool
	// end delivers last, if that is possible, and ends the connection.
	end(last envelope.Message)
	// missed adds the signals that were not delivered to q.
	missed(q *queue)
}

// member is a place in a room. It outlives its socket by the resume window.
type member struct {
	peer    envelope.Peer
	host    string
	out     outlet // nil while away
	away    time.Time
	signals int64             // sent to it, ever
	missed  queue             // of those, what may not have arrived
	token   [sha256.Size]byte // hash of the resume token
	renew   time.Time         // when fresh credentials are due; zero: never
	limits  *allowance        // nil for a Local
}

// room passes messages between its members.
type room struct {
	id  string
	hub *Hub

	mu       sync.Mutex
	members  map[string]*member
	arrivals int
	empty    time.Time // since when, if it is
	ended    bool
	slow     []*member // found full during the current operation
}

// join makes out a member.
func (r *room) join(out outlet, j *envelope.Join, host string, limits *allowance) (*member, *envelope.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended:
		return nil, noRoom()
	case len(r.members) >= r.hub.cfg.MaxPeers:
		return nil, fatal(envelope.CodeRoomFull, "the room is full")
	}
	r.arrivals++
	m := &member{out: out, host: host, limits: limits, peer: envelope.Peer{
		ID: strings.ToLower(rand.Text()[:16]), Name: r.distinctLocked(strings.Clone(j.Name)), Kind: j.Kind, Order: r.arrivals,
	}}
	r.members[m.peer.ID] = m
	r.hub.counts.joined.Add(1)
	r.greetLocked(m, false)
	r.broadcastLocked(m, &envelope.PeerJoined{Peer: m.peer})
	r.dropSlowLocked()
	r.hub.log.Debug("peer joined", "room", short(r.id), "peer", m.peer.ID, "kind", m.peer.Kind)
	return m, nil
}

// resume puts out in the place that the token names. It returns nil and nil if
// that is none.
func (r *room) resume(out outlet, token, host string) (*member, *envelope.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.resumableLocked(token)
	if m == nil {
		return nil, nil
	}
	if m.limits != nil && !m.limits.returns.Allow() {
		return nil, fatal(envelope.CodeRateLimited, "you came back too often, wait a little")
	}
	wasHere := m.out != nil
	if wasHere {
		m.out.missed(&m.missed)
		m.out.end(&envelope.Bye{Reason: "replaced"})
	}
	m.out, m.host = out, host
	r.hub.counts.resumed.Add(1)
	r.greetLocked(m, true)
	if !wasHere {
		r.broadcastLocked(m, &envelope.PeerState{ID: m.peer.ID, State: "here"})
	}
	r.dropSlowLocked()
	r.hub.log.Debug("peer resumed", "room", short(r.id), "peer", m.peer.ID)
	return m, nil
}

// resumableLocked finds the member whose token this is, in a time that tells
// nothing about the tokens there are.
func (r *room) resumableLocked(token string) *member {
	hash := sha256.Sum256([]byte(token))
	var found *member
	for _, m := range r.members {
		if subtle.ConstantTimeCompare(hash[:], m.token[:]) == 1 {
			found = m
		}
	}
	return found
}

// greetLocked sends what a member has to know first: the welcome, who of the
// others is away, and the signals it missed.
func (r *room) greetLocked(m *member, resumed bool) {
	token := rand.Text()
	m.token = sha256.Sum256([]byte(token))
	servers, ttl := r.credentialsLocked(m)
	others := r.othersLocked(m)
	peers := make([]envelope.Peer, len(others))
	for i, o := range others {
		peers[i] = o.peer
	}
	r.sendLocked(m, &envelope.Welcome{
		Version: envelope.Version, Room: r.id, Self: m.peer, Peers: peers,
		ICEServers: servers, ICETTL: ttl,
		Resume: token, Resumed: resumed, ResumeWindow: int(r.hub.cfg.ResumeWindow / time.Second),
		MaxPeers: r.hub.cfg.MaxPeers, NATServers: r.hub.cfg.NATServers(m.host),
	})
	for _, o := range others {
		if o.out == nil {
			r.sendLocked(m, &envelope.PeerState{ID: o.peer.ID, State: "away"})
		}
	}
	for f, ok := m.missed.pop(); ok; f, ok = m.missed.pop() {
		r.pushLocked(m, f)
	}
}

// credentialsLocked issues relay credentials and sets the time for new ones.
func (r *room) credentialsLocked(m *member) (servers []envelope.ICEServer, seconds int) {
	servers, ttl := r.hub.cfg.ICE(m.peer.ID, m.host)
	m.renew = time.Time{}
	if ttl > 0 {
		m.renew = time.Now().Add(ttl / 2)
	}
	if servers == nil {
		servers = []envelope.ICEServer{} // in JSON an empty list, not null
	}
	return servers, int(ttl / time.Second)
}

// signal passes s on from m, or tells m why it cannot. The error says that s
// does not fit into a frame as we write it.
func (r *room) signal(m *member, s *envelope.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.peer.ID] != m {
		return nil // dropped a moment ago
	}
	target := r.members[s.To]
	if target == nil || target == m {
		r.hub.counts.tell(envelope.CodeUnknownPeer)
		r.sendLocked(m, &envelope.Error{Code: envelope.CodeUnknownPeer, Message: "signal: to names nobody else in this room"})
		r.dropSlowLocked()
		return nil
	}
	passed := *s
	passed.To, passed.From, passed.N = "", m.peer.ID, target.signals+1
	data, err := envelope.Encode(&passed)
	if err != nil {
		return err
	}
	target.signals++
	r.hub.counts.signals.Add(1)
	if target.out == nil {
		target.missed.keep(frame{data, true})
		return nil
	}
	r.pushLocked(target, frame{data, true})
	r.dropSlowLocked()
	return nil
}

// shareNAT keeps what m says of its NAT for those who come later, and tells it
// to those who are here.
func (r *room) shareNAT(m *member, nat envelope.NAT) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.peer.ID] != m || m.peer.NAT == nat {
		return
	}
	m.peer.NAT = nat
	state := "here"
	if m.out == nil { // its socket ended while we waited for the lock
		state = "away"
	}
	r.broadcastLocked(m, &envelope.PeerState{ID: m.peer.ID, State: state, NAT: nat})
	r.dropSlowLocked()
}

// lost is called when out, the connection of m, has ended.
func (r *room) lost(m *member, out outlet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.peer.ID] != m || m.out != out {
		return // left, dropped or replaced
	}
	out.missed(&m.missed)
	m.out, m.away = nil, time.Now()
	r.broadcastLocked(m, &envelope.PeerState{ID: m.peer.ID, State: "away"})
	r.dropSlowLocked()
}

// leave ends the membership of m for the reason that the others are told. If
// out is no longer its connection, it does nothing.
func (r *room) leave(m *member, out outlet, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.peer.ID] != m || m.out != out {
		return
	}
	r.removeLocked(m, reason)
	r.dropSlowLocked()
}

func (r *room) removeLocked(m *member, reason string) {
	delete(r.members, m.peer.ID)
	if len(r.members) == 0 {
		r.empty = time.Now()
	}
	if reason == "dropped" {
		r.hub.counts.dropped.Add(1)
	}
	r.broadcastLocked(m, &envelope.PeerLeft{ID: m.peer.ID, Reason: reason})
	r.hub.log.Debug("peer left", "room", short(r.id), "peer", m.peer.ID, "reason", reason)
}

// sweep does what is due and tells whether the room has come to its end.
func (r *room) sweep(now time.Time) (ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cfg := &r.hub.cfg
	for _, m := range r.members {
		switch {
		case m.out == nil && now.Sub(m.away) >= cfg.ResumeWindow:
			r.removeLocked(m, "timeout")
		case m.out != nil && !m.renew.IsZero() && !now.Before(m.renew):
			servers, ttl := r.credentialsLocked(m)
			r.sendLocked(m, &envelope.ICEServers{ICEServers: servers, ICETTL: ttl})
		}
	}
	r.dropSlowLocked()
	if len(r.members) == 0 && now.Sub(r.empty) >= cfg.EmptyRoomLife {
		r.ended = true
	}
	return r.ended
}

// shutdown ends the room and says goodbye to its members.
func (r *room) shutdown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.out != nil {
			m.out.end(&envelope.Bye{Reason: "shutdown"})
		}
	}
	clear(r.members)
	r.ended = true
}

// othersLocked returns the members but m, in the order of their arrival.
func (r *room) othersLocked(m *member) []*member {
	others := make([]*member, 0, len(r.members))
	for _, o := range r.members {
		if o != m {
			others = append(others, o)
		}
	}
	slices.SortFunc(others, func(a, b *member) int { return cmp.Compare(a.peer.Order, b.peer.Order) })
	return others
}

func (r *room) broadcastLocked(except *member, msg envelope.Message) {
	data := r.encode(msg)
	for _, m := range r.othersLocked(except) {
		r.pushLocked(m, frame{data: data})
	}
}

func (r *room) sendLocked(m *member, msg envelope.Message) {
	r.pushLocked(m, frame{data: r.encode(msg)})
}

func (r *room) encode(msg envelope.Message) []byte {
	data, err := envelope.Encode(msg)
	if err != nil { // only a list of ICE servers could be that long
		r.hub.log.Error("signaling: a message of ours is not sent", "err", err)
	}
	return data
}

// pushLocked queues f for m. Who has no room for it is noted, and dropped by
// dropSlowLocked when the operation is complete: dropping one sends to others.
func (r *room) pushLocked(m *member, f frame) {
	if m.out != nil && len(f.data) > 0 && !m.out.push(f) && !slices.Contains(r.slow, m) {
		r.slow = append(r.slow, m)
	}
}

func (r *room) dropSlowLocked() {
	for len(r.slow) > 0 {
		m := r.slow[0]
		r.slow = r.slow[1:]
		if r.members[m.peer.ID] != m || m.out == nil {
			continue
		}
		out := m.out
		m.out = nil // so that nothing more is pushed
		r.hub.counts.tell(envelope.CodeTooSlow)
		out.end(fatal(envelope.CodeTooSlow, "you did not read, and the messages for you piled up"))
		r.removeLocked(m, "dropped")
	}
	r.slow = nil
}

// short is as much of a room id as a log may have.
func short(id string) string { return id[:min(6, len(id))] + "…" }
