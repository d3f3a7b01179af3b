package turnsrv_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

func TestMintIsTheRESTConvention(t *testing.T) {
	// The password as openssl and coturn make it:
	// printf 1700000000:ann | openssl dgst -sha1 -hmac 'open sesame' -binary | base64
	got := turnsrv.Mint([]byte(testSecret), "ann", time.Unix(1700000000, 5))
	want := turnsrv.Credentials{Username: "1700000000:ann", Password: "spTSa8nEEoWgRJfKUfvqWPFC9Z0=", Expires: time.Unix(1700000000, 0)}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	s := start(t, nil)
	future := time.Now().Add(time.Hour)
	mint := func(peerID string, expires time.Time) turnsrv.Credentials {
		return turnsrv.Mint([]byte(testSecret), peerID, expires)
	}
	named := func(username string) turnsrv.Credentials {
		// Signed properly, whatever the name: only its form is wrong.
		return turnsrv.Credentials{Username: username, Password: passwordOf(username), Expires: future}
	}
	for name, c := range map[string]struct {
		cred turnsrv.Credentials
		code int
		why  string
	}{
		"valid":          {mint("ann", future), 0, ""},
		"colon in name":  {mint("room:ann", future), 0, ""},
		"other secret":   {turnsrv.Mint([]byte("guess"), "ann", future), 401, "integrity"},
		"expired":        {mint("ann", time.Now().Add(-2*time.Second)), 401, "expired"},
		"no peer":        {mint("", future), 401, "username"},
		"space in name":  {mint("a b", future), 401, "username"},
		"long name":      {mint(strings.Repeat("a", 128), future), 401, "username"},
		"bare timestamp": {named("4102444800"), 401, "username"},
		"leading zero":   {named("04102444800:ann"), 401, "username"},
		"plus sign":      {named("+4102444800:ann"), 401, "username"},
		"no timestamp":   {named("soon:ann"), 401, "username"},
		"endless":        {named("99999999999999999999:ann"), 401, "username"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Stats()
			raw := s.raw(t, "udp", c.cred)
			m := raw.allocate(c.code)
			after := s.Stats()
			if c.why == "" {
				if after.Allocations != before.Allocations+1 {
					t.Error("no allocation")
				}
				return
			}
			if after.AuthFailures[c.why] != before.AuthFailures[c.why]+1 || after.Allocations != before.Allocations {
				t.Errorf("failures before %v, after %v; want one more %q", before.AuthFailures, after.AuthFailures, c.why)
			}
			var nonce stun.Nonce
			var realm stun.Realm
			if nonce.GetFrom(m) != nil || realm.GetFrom(m) != nil || realm.String() != testRealm {
				t.Errorf("the 401 doesn't bring realm and nonce: %s", m)
			}
		})
	}
}

// passwordOf signs a name the server has to refuse for its form alone.
func passwordOf(username string) string {
	mac := hmac.New(sha1.New, []byte(testSecret))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestAnotherRealmIsRefused(t *testing.T) {
	s := start(t, func(c *turnsrv.Config) { c.Realm = "elsewhere" })
	s.raw(t, "udp", s.Credentials("ann")).allocate(401)
	if n := s.Stats().AuthFailures["realm"]; n != 1 {
		t.Errorf("%d refused for the realm, want 1", n)
	}
}

func TestPionClientWithAWrongSecretFails(t *testing.T) {
	s := start(t, nil)
	c := s.client(t, "udp", turnsrv.Mint([]byte("guess"), "ann", time.Now().Add(time.Hour)))
	if _, err := c.Allocate(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Allocate: %v, want a 401", err)
	}
}

// clock is a clock a test can turn.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func TestAnAllocationOutlivesItsCredential(t *testing.T) {
	var clk clock
	s := start(t, func(c *turnsrv.Config) {
		c.Now = clk.now
		c.CredentialTTL = time.Hour
		c.MaxAge = 24 * time.Hour
	})
	to := echo(t)
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	other := s.raw(t, "udp", s.Credentials("bob"))
	other.allocate(0)

	clk.forward(2 * time.Hour)
	c.expect(0, stun.MethodRefresh)
	c.expect(0, stun.MethodCreatePermission, peer("127.0.0.1:9"))
	c.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer(to.String()))
	c.allocate(401) // not even on the same 5-tuple
	s.raw(t, "udp", c.cred).allocate(401)
	s.raw(t, "udp", c.cred).expect(401, stun.MethodRefresh)

	// Nor does bob's allocation live on by ann's expired name.
	bobs := other.cred
	other.cred = c.cred
	other.expect(401, stun.MethodRefresh)
	other.cred = s.Credentials("ann") // valid, but not bob's
	other.expect(441, stun.MethodRefresh)
	other.cred = s.Credentials("bob") // renewed
	other.expect(0, stun.MethodRefresh)
	other.cred = bobs
	other.expect(0, stun.MethodRefresh)

	clk.forward(21*time.Hour + 59*time.Minute)
	c.expect(0, stun.MethodRefresh)
	clk.forward(2 * time.Minute)
	c.expect(401, stun.MethodRefresh)
	c.expect(401, stun.MethodCreatePermission, peer("127.0.0.1:9"))
	if n := s.Stats().AuthFailures["expired"]; n != 6 {
		t.Errorf("%d refused as expired, want 6", n)
	}
	// What is bound still works until its own lifetime ends.
	c.send(binary.BigEndian.AppendUint32([]byte{0x40, 0, 0, 4}, 7))
	if _, err := io.ReadFull(c.conn, make([]byte, 8)); err != nil {
		t.Error(err)
	}
}

func TestStaleNonce(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.nonce = stun.NewNonce(strings.Repeat("00", 40))
	c.allocate(438)
}
