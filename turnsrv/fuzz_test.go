package turnsrv_test

import (
	"testing"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

// Whatever a client with an allocation sends, signed or not, the server goes on.
// The message runs through Pion in this process: a panic there ends the test.
func FuzzServer(f *testing.F) {
	s := start(f, func(c *turnsrv.Config) { c.Rate = turnsrv.Rate{PerSecond: 1e9, Burst: 1 << 30} })
	c := s.raw(f, "udp", s.Credentials("ann"))
	c.allocate(0)
	for _, m := range []*stun.Message{
		c.signed(stun.MethodCreatePermission, peer("127.0.0.1:9"), peer("[::1]:9")),
		c.signed(stun.MethodChannelBind, channelNumber(0x4000), peer("127.0.0.1:9")),
		c.signed(stun.MethodAllocate, udpTransport, stun.RawAttribute{Type: stun.AttrEvenPort, Value: []byte{0x80}}),
		c.signed(stun.MethodBinding),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peer("127.0.0.1:9"),
			stun.RawAttribute{Type: stun.AttrData, Value: []byte("hello")}),
	} {
		f.Add(m.Raw, false)
	}
	f.Add([]byte{0x00, 0x04, 0, 8, 0x21, 0x12, 0xa4, 0x42, 12: 1, 19: 0, 20: 0, 21: 0x0d, 23: 4, 27: 0}, true)
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4}, false)
	f.Fuzz(func(t *testing.T, p []byte, sign bool) {
		c.t = t
		m := &stun.Message{}
		if sign && stun.Decode(p, m) == nil && m.Type.Method != stun.MethodRefresh {
			attrs := []stun.Setter{stun.NewTransactionIDSetter(m.TransactionID), m.Type}
			for _, a := range m.Attributes {
				if a.Type != stun.AttrMessageIntegrity && a.Type != stun.AttrFingerprint {
					attrs = append(attrs, a)
				}
			}
			attrs = append(attrs, stun.NewUsername(c.cred.Username), stun.NewRealm(testRealm), c.nonce,
				stun.NewLongTermIntegrity(c.cred.Username, testRealm, c.cred.Password))
			if signed, err := stun.Build(attrs...); err == nil {
				p = signed.Raw
			}
		}
		if len(p) > 60_000 {
			return
		}
		c.send(p)
		c.exchange(stun.MustBuild(stun.TransactionID, stun.BindingRequest))
	})
}
