package turnsrv

import (
	"encoding/hex"
	"testing"

	"github.com/pion/stun"
)

// seeds for messages, good and bad.
func addMessages(f *testing.F) {
	for _, m := range []*stun.Message{
		stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
			stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}, stun.NewUsername("1:a"),
			stun.NewRealm("r"), stun.NewNonce("n"), stun.NewShortTermIntegrity("k"), stun.Fingerprint),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
			stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: []byte{0, 1, 0, 9, 1, 2, 3, 4}},
			stun.RawAttribute{Type: stun.AttrData, Value: []byte("hello")}),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodChannelBind, stun.ClassRequest),
			stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: append([]byte{0, 2, 0, 9}, make([]byte, 16)...)},
			stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40, 0, 0, 0}}),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodRefresh, stun.ClassRequest),
			stun.RawAttribute{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, 0}}),
		stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest),
			stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: []byte{0, 1, 0, 9, 1, 2, 3, 4}},
			stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: []byte{0, 1, 0, 9, 5, 6, 7, 8}}),
	} {
		f.Add(m.Raw)
	}
	for _, text := range []string{
		"0016000c2112a44200000000000000000000000000130004abcdef0100120000",
		"0001ffec2112a442000000000000000000000000", "4000fffc0000000000", "40000001aa000000", "40000000",
	} {
		p, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p)
	}
}

// What inspect passes, the stun library decodes whole, and its readers of
// addresses don't panic on.
func FuzzInspect(f *testing.F) {
	addMessages(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		if inspect(p) != "" {
			return
		}
		if isChannelData(p) {
			if n := len(channelPayload(p)); n > len(p)-channelHeader {
				t.Fatalf("payload of %d bytes in %x", n, p)
			}
			return
		}
		m := &stun.Message{Raw: append([]byte(nil), p...)}
		if err := m.Decode(); err != nil {
			t.Fatalf("%x passes but doesn't decode: %v", p, err)
		}
		for _, a := range m.Attributes {
			if a.Type == stun.AttrXORMappedAddress {
				continue // the library has two numbers for it; no server reads it
			}
			if got := attribute(p, a.Type); got == nil {
				t.Fatalf("%x has %s, which attribute doesn't find", p, a.Type)
			}
		}
		_ = m.ForEach(stun.AttrXORPeerAddress, func(m *stun.Message) error {
			return new(stun.XORMappedAddress).GetFromAs(m, stun.AttrXORPeerAddress)
		})
		_ = stun.MessageIntegrity("key").Check(m)
	})
}

func BenchmarkInspect(b *testing.B) {
	for name, p := range map[string][]byte{
		"ChannelData": append([]byte{0x40, 0, 0x04, 0xb0}, make([]byte, 1200)...),
		"Send": stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
			stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: []byte{0, 1, 0, 9, 1, 2, 3, 4}},
			stun.RawAttribute{Type: stun.AttrData, Value: make([]byte, 1200)}).Raw,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if why := inspect(p); why != "" {
					b.Fatal(why)
				}
			}
		})
	}
}
