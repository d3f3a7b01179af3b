package turnsrv

import (
	"net/netip"
	"time"

	"github.com/pion/stun"
)

// request is the packet Pion is handling, and what we know about it.
type request struct {
	active bool
	raw    []byte // Pion's buffer, unchanged until it is through
	src    netip.AddrPort
	kind   stun.MessageType // of ChannelData: zero

	username, peerID string
	key              []byte // of MESSAGE-INTEGRITY, once checked
	refusal          refusal
	answered         bool
}

// refusal is the error response we want where Pion would send another, or one
// without an error code.
type refusal struct {
	code   stun.ErrorCode
	phrase string
}

// The refusals, with the phrases of RFC 8489 and RFC 8656.
func badRequest() refusal   { return refusal{stun.CodeBadRequest, "Bad Request"} }
func unauthorized() refusal { return refusal{stun.CodeUnauthorized, "Unauthorized"} }
func forbidden() refusal    { return refusal{stun.CodeForbidden, "Forbidden"} }
func noAllocation() refusal { return refusal{stun.CodeAllocMismatch, "Allocation Mismatch"} }
func wrongUser() refusal    { return refusal{stun.CodeWrongCredentials, "Wrong Credentials"} }
func wrongTransport() refusal {
	return refusal{stun.CodeUnsupportedTransProto, "Unsupported Transport Protocol"}
}
func quotaReached() refusal { return refusal{stun.CodeAllocQuotaReached, "Allocation Quota Reached"} }
func noCapacity() refusal   { return refusal{stun.CodeInsufficientCapacity, "Insufficient Capacity"} }
func wrongFamily() refusal  { return refusal{440, "Address Family not Supported"} }
func peerFamily() refusal   { return refusal{443, "Peer Address Family Mismatch"} }

func newRequest(p []byte, src netip.AddrPort) request {
	q := request{active: true, raw: p, src: src}
	if !isChannelData(p) {
		q.kind = messageType(p)
	}
	return q
}

func (q *request) is(m stun.Method) bool {
	return q.kind.Method == m && q.kind.Class == stun.ClassRequest
}

// needsAllocation reports whether the request is about an allocation that has to
// be there already.
func (q *request) needsAllocation() bool {
	return q.is(stun.MethodRefresh) || q.is(stun.MethodCreatePermission) || q.is(stun.MethodChannelBind)
}

// message decodes the packet into memory of its own.
func (q *request) message() (*stun.Message, error) {
	m := &stun.Message{Raw: append(make([]byte, 0, len(q.raw)+64), q.raw...)}
	return m, m.Decode()
}

// peer reads the first XOR-PEER-ADDRESS.
func (q *request) peer() (netip.AddrPort, bool) {
	m, err := q.message()
	if err != nil {
		return netip.AddrPort{}, false
	}
	var x stun.XORMappedAddress
	if err := x.GetFromAs(m, stun.AttrXORPeerAddress); err != nil {
		return netip.AddrPort{}, false
	}
	a, ok := netip.AddrFromSlice(x.IP)
	return netip.AddrPortFrom(a, uint16(x.Port)), ok
}

// respond looks at Pion's response to the current request and returns what is to
// be sent in its place.
func (f *front) respond(p []byte) []byte {
	q := &f.current
	q.answered = true
	if messageType(p).Class == stun.ClassSuccessResponse {
		f.granted(p)
		return p
	}
	if q.refusal.code == 0 && attribute(p, stun.AttrErrorCode) == nil {
		q.refusal = badRequest() // CreatePermission without a peer
	}
	if q.refusal.code == 0 {
		return p
	}
	return f.refusalMessage()
}

// granted notes what a success response has just given the client.
func (f *front) granted(p []byte) {
	q := &f.current
	r := f.relayOf(q.src)
	if r == nil {
		return
	}
	switch q.kind.Method {
	case stun.MethodAllocate:
		f.srv.allocated.Add(1)
		r.extend(lifetimeOf(p))
	case stun.MethodRefresh:
		r.extend(lifetimeOf(p))
	case stun.MethodChannelBind:
		number := attribute(q.raw, stun.AttrChannelNumber)
		if peer, ok := q.peer(); ok && number != nil {
			r.channels.bind(channelNumber(number), peer, f.srv.now())
		}
	}
}

func lifetimeOf(p []byte) time.Duration {
	if v := attribute(p, stun.AttrLifetime); len(v) == 4 {
		return time.Duration(uint32(v[0])<<24|uint32(v[1])<<16|uint32(v[2])<<8|uint32(v[3])) * time.Second
	}
	return defaultLifetime
}

// refusalMessage makes the error response for the current request's refusal. It
// is signed when the client is known; a 401 instead brings what is needed to try
// again, with the nonce of the request, which Pion has just found good.
func (f *front) refusalMessage() []byte {
	q := &f.current
	m := new(stun.Message)
	copy(m.TransactionID[:], q.raw[8:stunHeader])
	attrs := []stun.Setter{m,
		stun.NewType(q.kind.Method, stun.ClassErrorResponse),
		stun.ErrorCodeAttribute{Code: q.refusal.code, Reason: []byte(q.refusal.phrase)},
	}
	if q.refusal.code == stun.CodeUnauthorized {
		attrs = append(attrs, stun.NewRealm(f.srv.cfg.Realm), stun.Nonce(attribute(q.raw, stun.AttrNonce)))
	} else if q.key != nil {
		attrs = append(attrs, stun.MessageIntegrity(q.key))
	}
	built, err := stun.Build(attrs...)
	if err != nil {
		return nil
	}
	return built.Raw
}

// settle answers what Pion has left without an answer: it says nothing to a
// client that has no allocation any more, which would go on asking. With the
// 437 of RFC 8656 section 7.3 the client knows, and can allocate anew.
func (f *front) settle() {
	q := &f.current
	if q.answered || !q.needsAllocation() || f.relayOf(q.src) != nil {
		return
	}
	if q.key == nil { // Pion looks for the allocation before it looks who asks
		username, realm := attribute(q.raw, stun.AttrUsername), attribute(q.raw, stun.AttrRealm)
		if _, ok := f.authenticate(string(username), string(realm), nil); !ok {
			return
		}
	}
	q.refusal = noAllocation()
	if p := f.refusalMessage(); p != nil {
		f.toClient(p, q.src)
	}
}
