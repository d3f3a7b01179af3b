package turnsrv

import (
	"net"
	"time"

	"github.com/pion/stun"
)

// Why authentication fails, as counted.
const (
	authRealm     = "realm"     // the realm isn't ours
	authUsername  = "username"  // not of the form Mint makes
	authIntegrity = "integrity" // made with another secret
	authExpired   = "expired"
	authWrongUser = "wrong-user" // the allocation is another peer's
)

// authenticate is Pion's AuthHandler, and more: it also checks the integrity, so
// that the answer can be the 401 it should be and the failure has a name. Pion
// checks once more.
//
// Credentials expire, and Pion asks for them with each Refresh, CreatePermission
// and ChannelBind. A client can't change those of a live allocation, so the
// allocation goes on: its own user name stays good for it until MaxAge after it
// was made. For a new allocation an expired credential is worth nothing.
func (f *front) authenticate(username, realm string, _ net.Addr) ([]byte, bool) {
	q := &f.current
	fail := func(why string, answer refusal) ([]byte, bool) {
		f.srv.authFailures.add(why)
		q.refusal = answer
		return nil, false
	}
	if realm != f.srv.cfg.Realm {
		return fail(authRealm, unauthorized())
	}
	peerID, expires, ok := parseUsername(username)
	if !ok {
		return fail(authUsername, unauthorized())
	}
	key := longTermKey(f.srv.cfg.Secret, username, realm)
	m, err := q.message()
	if err != nil || stun.MessageIntegrity(key).Check(m) != nil {
		return fail(authIntegrity, unauthorized())
	}
	r := f.relayOf(q.src)
	if now := f.srv.cfg.Now(); now.After(expires) && !f.outlives(r, username, now) {
		return fail(authExpired, unauthorized())
	}
	q.key = key
	if r != nil && r.peerID != peerID {
		q.username = username
		return fail(authWrongUser, wrongUser())
	}
	q.username, q.peerID = username, peerID
	return key, true
}

// outlives reports whether the allocation may be managed with the credential it
// was made with although that has expired.
func (f *front) outlives(r *relay, username string, now time.Time) bool {
	return r != nil && r.user == username && f.current.needsAllocation() &&
		now.Before(r.started.Add(f.srv.cfg.MaxAge))
}
