package turnsrv_test

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/pion/stun"
)

// BenchmarkRelay measures ChannelData from a client through the relay to an echo
// and back, over real sockets on the loopback, 1200 bytes each, 32 on their way
// at a time. One operation is two relayed packets; client, echo and server share
// the machine.
func BenchmarkRelay(b *testing.B) {
	for _, network := range []string{"udp", "tcp"} {
		b.Run(network, func(b *testing.B) {
			s := start(b, nil)
			to := echo(b)
			c := s.raw(b, network, s.Credentials("ann"))
			c.allocate(0)
			c.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer(to.String()))
			const payload, window = 1200, 32
			out := binary.BigEndian.AppendUint16([]byte{0x40, 0}, payload)
			out = append(out, make([]byte, payload)...)
			in := make([]byte, 1<<16)
			b.SetBytes(payload)
			b.ReportAllocs()
			sent, got, lost := 0, 0, 0
			for b.Loop() {
				c.send(out)
				sent++
				for sent-got/len(out)-lost >= window {
					c.conn.SetReadDeadline(time.Now().Add(time.Second))
					n, err := c.conn.Read(in)
					if ne, ok := err.(net.Error); ok && ne.Timeout() {
						lost = sent - got/len(out) // dropped by a socket buffer
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
			}
			b.ReportMetric(float64(2*got/len(out))/b.Elapsed().Seconds(), "packets/s")
			b.ReportMetric(float64(lost), "lost")
		})
	}
}

// BenchmarkSendIndication is the same by Send and Data indications, which go
// through Pion, one at a time.
func BenchmarkSendIndication(b *testing.B) {
	s := start(b, nil)
	to := echo(b)
	c := s.raw(b, "udp", s.Credentials("ann"))
	c.allocate(0)
	c.expect(0, stun.MethodCreatePermission, peer(to.String()))
	m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peer(to.String()),
		stun.RawAttribute{Type: stun.AttrData, Value: make([]byte, 1200)})
	in := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		c.send(m.Raw)
		c.conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.conn.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}
