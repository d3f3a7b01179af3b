package turnsrv_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// 32 bytes, no key needed once there is an allocation: a Send indication with
// four bytes of DATA and an XOR-PEER-ADDRESS of length zero. Pion alone panics.
func TestZeroLengthPeerAddress(t *testing.T) {
	const bytes = "0016000c2112a442" + "000000000000000000000000" + "00130004abcdef01" + "00120000"
	p := unhex(t, bytes)
	if len(p) != 32 {
		t.Fatalf("%d bytes", len(p))
	}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := start(t, nil)
			_, relay := s.allocate(t, "udp", "bob")
			to := echo(t)
			c := s.raw(t, network, s.Credentials("ann"))
			c.allocate(0)
			for range 3 {
				c.send(p)
			}
			eventually(t, "them to be dropped", func() bool { return s.Stats().Dropped["attribute"] == 3 })
			c.expect(0, stun.MethodRefresh)
			roundTrip(t, relay, to, "still here")
		})
	}
}

func TestHostileStreams(t *testing.T) {
	s := start(t, nil)
	_, relay := s.allocate(t, "tcp", "bob")
	to := echo(t)
	for name, text := range map[string]string{
		"STUN length 0xffec":        "0001ffec2112a442000000000000000000000000",
		"ChannelData length 0xfffc": "4000fffc0000000000",
		"just too long":             "000106302112a442000000000000000000000000",
		"HTTP":                      hex.EncodeToString([]byte("GET / HTTP/1.1\r\n\r\n")), // reads as ChannelData of 8275 bytes
		"TLS":                       "1603010200010001fc0303",
		"RTP":                       "80000000000000000000000000",
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Stats()
			c := s.raw(t, "tcp", turnsrv.Credentials{})
			c.send(unhex(t, text))
			expectClosed(t, c.conn)
			eventually(t, "the connection to go", func() bool { return s.Stats().TCPConns == before.TCPConns })
			if got := s.Stats().Dropped["tcp-framing"]; got != before.Dropped["tcp-framing"]+1 {
				t.Errorf("counted %d, want one more than %d", got, before.Dropped["tcp-framing"])
			}
			roundTrip(t, relay, to, "still here")
		})
	}
}

func TestHostileDatagrams(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	for name, m := range map[string]struct{ text, why string }{
		"empty":                     {"", "not-turn"},
		"one byte":                  {"00", "not-turn"},
		"RTP":                       {"8000000000000000", "not-turn"},
		"half a header":             {"000100002112a442", "not-turn"},
		"RFC 3489":                  {"0001000000000000" + "000000000000000000000000", "magic-cookie"},
		"length not of four":        {"000100022112a442" + "000000000000000000000000" + "0000", "length"},
		"shorter than it says":      {"000100042112a442" + "000000000000000000000000", "length"},
		"longer than it says":       {"000100002112a442" + "000000000000000000000000" + "00000000", "length"},
		"STUN length 0xffec":        {"0001ffec2112a442" + "000000000000000000000000", "length"},
		"ChannelData length 0xfffc": {"4000fffc0000000000", "length"},
		"ChannelData with a tail":   {"40000001000000000000", "length"},
		"success response":          {"010100002112a442" + "000000000000000000000000", "type"},
		"error response":            {"011100002112a442" + "000000000000000000000000", "type"},
		"Data indication":           {"001700002112a442" + "000000000000000000000000", "type"},
		"Connect request":           {"000a00002112a442" + "000000000000000000000000", "type"},
		"attribute beyond the end":  {"000100042112a442" + "000000000000000000000000" + "80220004", "attribute"},
		"attribute header cut":      {"000100082112a442" + "000000000000000000000000" + "8022fffc00000000", "attribute"},
		"LIFETIME of no bytes":      {"000400042112a442" + "000000000000000000000000" + "000d0000", "attribute"},
		"peer of one byte":          {"001600082112a442" + "000000000000000000000000" + "0012000100000000", "attribute"},
		"IPv4 peer of 20 bytes":     {"001600182112a442" + "000000000000000000000000" + "001200140001" + "000000000000000000000000000000000000", "attribute"},
		"integrity of 4 bytes":      {"000300082112a442" + "000000000000000000000000" + "0008000400000000", "attribute"},
		"wrong fingerprint":         {"000100082112a442" + "000000000000000000000000" + "8028000400000000", "fingerprint"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Stats().Dropped[m.why]
			if _, err := c.conn.Write(unhex(t, m.text)); err != nil {
				t.Fatal(err)
			}
			c.expect(0, stun.MethodRefresh) // the datagram before it has been seen
			if got := s.Stats().Dropped[m.why]; got != before+1 {
				t.Errorf("dropped: %v; want one more %q", s.Stats().Dropped, m.why)
			}
		})
	}
	t.Run("unsigned tail", func(t *testing.T) {
		m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodRefresh, stun.ClassRequest),
			stun.NewUsername(c.cred.Username), stun.NewRealm(testRealm), c.nonce,
			stun.NewLongTermIntegrity(c.cred.Username, testRealm, c.cred.Password), lifetime(0))
		c.send(m.Raw)
		c.expect(0, stun.MethodRefresh)
		if n := s.Stats().Dropped["integrity-tail"]; n != 1 || s.Stats().Allocations != 1 {
			t.Errorf("%d dropped, %d allocations", n, s.Stats().Allocations)
		}
	})
	t.Run("too long", func(t *testing.T) {
		c.send(append([]byte{0x40, 0, 0x07, 0xd0}, make([]byte, 2000)...))
		c.expect(0, stun.MethodRefresh)
		if n := s.Stats().Dropped["too-long"]; n != 1 {
			t.Errorf("%d dropped as too long", n)
		}
	})
	t.Run("keepalive", func(t *testing.T) {
		before := fmt.Sprint(s.Stats().Dropped)
		c.send(unhex(t, "001100002112a442000000000000000000000000"))
		c.expect(0, stun.MethodRefresh)
		if after := fmt.Sprint(s.Stats().Dropped); after != before {
			t.Errorf("a keepalive is counted: %s, before %s", after, before)
		}
	})
	t.Run("ChannelData of a stranger", func(t *testing.T) {
		s.raw(t, "udp", turnsrv.Credentials{}).send([]byte{0x40, 0, 0, 0})
		eventually(t, "it to be counted", func() bool { return s.Stats().Dropped["no-allocation"] == 1 })
	})
}

func TestOversizeFromAPeer(t *testing.T) {
	s := start(t, nil)
	peerConn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peerConn.Close()
	_, relay := s.allocate(t, "udp", "ann")
	if _, err := relay.WriteTo([]byte("hello"), peerConn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{9000, 1601, 1500} {
		if _, err := peerConn.WriteTo(make([]byte, size), relay.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	relay.SetReadDeadline(time.Now().Add(patience))
	if n, _, err := relay.ReadFrom(make([]byte, 2000)); n != 1500 || err != nil {
		t.Errorf("%d bytes, %v; want the datagram of 1500", n, err)
	}
	if n := s.Stats().Dropped["too-long"]; n != 2 {
		t.Errorf("%d dropped as too long, want 2", n)
	}
}
