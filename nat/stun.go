package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun"
)

const (
	// Retransmission of a request, RFC 5389 section 7.2.1: sent rc times, the
	// interval doubling from rto, and given up rm·rto after the last one. The
	// doubling is capped, so that a slow answer is asked for again while a
	// person is waiting.
	rto    = 500 * time.Millisecond
	maxRTO = 4 * time.Second
	rc     = 7
	rm     = 16

	maxSTUNServers = 8
	maxPerName     = 2 // addresses tried of one name
	maxSTUNAnswer  = 1500
	stunPort       = "3478"
)

// ExternalBySTUN asks several STUN servers, each "host", "host:port" or
// "stun:host:port", and returns the IPv4 address and port the first to answer
// sees us at. The port is that of a socket closed on return. Without an answer
// the error is ErrNoSTUNAnswer and says why for every server; that takes
// 23.5 s unless ctx ends sooner.
func ExternalBySTUN(ctx context.Context, servers []string) (netip.AddrPort, error) {
	if len(servers) == 0 || len(servers) > maxSTUNServers {
		return netip.AddrPort{}, fmt.Errorf("%d STUN servers, wanted 1 to %d", len(servers), maxSTUNServers)
	}
	for _, server := range servers {
		if _, _, err := ParseServer(server); err != nil {
			return netip.AddrPort{}, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		addr netip.AddrPort
		err  error
	}
	results := make(chan result)
	for _, server := range servers {
		go func() {
			addr, err := askServer(ctx, server)
			results <- result{addr, err} // always received, below
		}()
	}
	var first netip.AddrPort
	var failures []string
	for range servers {
		r := <-results
		switch {
		case r.err != nil:
			failures = append(failures, r.err.Error())
		case !first.IsValid():
			first = r.addr
			cancel() // the others end at once
		}
	}
	if first.IsValid() {
		return first, nil
	}
	return netip.AddrPort{}, fmt.Errorf("%w: %s", ErrNoSTUNAnswer, strings.Join(failures, "; "))
}

// ParseServer takes a server's name apart: "host", "host:port" or
// "stun:host:port"; a port left out is 3478 (RFC 7064).
func ParseServer(server string) (host, port string, err error) {
	s := strings.TrimPrefix(server, "stun:")
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		host, port = s, stunPort
	}
	if n, convErr := strconv.ParseUint(port, 10, 16); convErr != nil || n == 0 {
		return "", "", fmt.Errorf("STUN server %q: port %q is not one", server, port)
	}
	if host == "" || strings.ContainsAny(host, ":/?@ ") {
		return "", "", fmt.Errorf("STUN server %q: want host, host:port or stun:host:port, with a name or an IPv4 address", server)
	}
	return host, port, nil
}

// askServer resolves one server and asks it from a socket of its own.
func askServer(ctx context.Context, server string) (netip.AddrPort, error) {
	host, port, err := ParseServer(server)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("STUN server %s: %w", server, err)
	}
	number, _ := strconv.ParseUint(port, 10, 16) // checked by ParseServer
	var to []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), maxPerName)] {
		to = append(to, netip.AddrPortFrom(a.Unmap(), uint16(number)))
	}
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("STUN server %s: %w", server, err)
	}
	defer conn.Close()
	addr, err := ExternalOf(ctx, conn, to)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("STUN server %s: %w", server, err)
	}
	return addr, nil
}

// ExternalOf asks servers from a given socket and returns the address the
// first to answer sees it at. The socket must have no other reader meanwhile:
// what else arrives is dropped. Its read deadline is clear on return.
//
// An answer counts if it comes from the server asked, with the transaction ID
// asked with, and has a usable XOR-MAPPED-ADDRESS; anything else is ignored,
// save a server's error response, which ends the wait for that server.
func ExternalOf(ctx context.Context, conn net.PacketConn, servers []netip.AddrPort) (netip.AddrPort, error) {
	if len(servers) == 0 || len(servers) > maxSTUNServers {
		return netip.AddrPort{}, fmt.Errorf("%d STUN servers, wanted 1 to %d", len(servers), maxSTUNServers)
	}
	pending := make(map[netip.AddrPort]*stun.Message)
	for _, s := range servers {
		request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("build a Binding request: %w", err)
		}
		pending[s] = request
	}
	// Ends a read in progress; every later one is preceded by a look at ctx.
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted
		}
		conn.SetReadDeadline(time.Time{})
	}()
	return transact(ctx, conn, pending)
}

// transact sends the pending requests until one is answered, none is left, or
// it is time to give up.
func transact(ctx context.Context, conn net.PacketConn, pending map[netip.AddrPort]*stun.Message) (netip.AddrPort, error) {
	var (
		buf      = make([]byte, maxSTUNAnswer)
		sent     = 0
		interval = rto
		next     = time.Now()
		failure  error
	)
	for len(pending) > 0 {
		if !time.Now().Before(next) {
			if sent == rc {
				return netip.AddrPort{}, fmt.Errorf("%w: %d requests unanswered", ErrNoSTUNAnswer, sent)
			}
			for server, request := range pending {
				if _, err := conn.WriteTo(request.Raw, net.UDPAddrFromAddrPort(server)); err != nil {
					failure = fmt.Errorf("send a Binding request to %s: %w", server, err)
					delete(pending, server)
				}
			}
			if sent++; sent == rc {
				interval = rm * rto
			}
			next = next.Add(interval)
			interval = min(2*interval, maxRTO)
		}
		conn.SetReadDeadline(next)
		if err := ctx.Err(); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrNoSTUNAnswer, err)
		}
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("read STUN answers: %w", err)
		}
		server := addrPortOf(from)
		request, ok := pending[server]
		if !ok {
			continue
		}
		addr, err := readBinding(buf[:n], request.TransactionID)
		if refusal, refused := errors.AsType[*stunRefusal](err); refused {
			failure = fmt.Errorf("%s: %w", server, refusal)
			delete(pending, server)
		} else if err == nil {
			return addr, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrNoSTUNAnswer, failure)
}

func addrPortOf(a net.Addr) netip.AddrPort {
	udp, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := udp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
