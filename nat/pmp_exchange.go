package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// pmpFirst is the wait before a request is sent again; it doubles each time
// (RFC 6886 section 3.1).
const pmpFirst = 250 * time.Millisecond

// pmpExchange asks by a socket of a given network.
type pmpExchange struct {
	network Network
	gateway netip.AddrPort
}

func (x pmpExchange) call(ctx context.Context, r PMPRequest) (PMPAnswer, error) {
	conn, err := x.network.ListenPacket("udp", ":0")
	if err != nil {
		return PMPAnswer{}, fmt.Errorf("open a socket: %w", err)
	}
	defer conn.Close()
	// Ends a read in progress; every later one is preceded by a look at ctx.
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	buf := make([]byte, 17) // one more than the longest answer
	for wait := pmpFirst; ; wait *= 2 {
		if _, err := conn.WriteTo(r.Append(nil), net.UDPAddrFromAddrPort(x.gateway)); err != nil {
			return PMPAnswer{}, fmt.Errorf("ask %s: %w", x.gateway, err)
		}
		answer, err := x.await(ctx, conn, buf, r, time.Now().Add(wait))
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return answer, err
		}
	}
}

// await reads until the gateway has answered this request, or it is time to
// ask again: os.ErrDeadlineExceeded.
func (x pmpExchange) await(ctx context.Context, conn net.PacketConn, buf []byte, r PMPRequest, until time.Time) (PMPAnswer, error) {
	conn.SetReadDeadline(until)
	for {
		if ctx.Err() != nil {
			return PMPAnswer{}, fmt.Errorf("%w from %s", ErrNoPMPAnswer, x.gateway)
		}
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			continue
		}
		if err != nil {
			return PMPAnswer{}, fmt.Errorf("read an answer: %w", err)
		}
		if addrPortOf(from) != x.gateway {
			continue
		}
		if answer, err := ParsePMPAnswer(buf[:n], r); err == nil {
			return answer, nil
		}
	}
}
