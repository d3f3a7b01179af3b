package nat

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	maxSSDPAnswer  = 2048 // bytes of one answer
	maxLocation    = 512  // bytes of a LOCATION
	maxPerHost     = 2    // locations taken from one responder
	maxPerLink     = 16   // locations taken from one link
	maxRefused     = 32   // bad answers remembered, and told of, on one link
	searchSpacing  = 100 * time.Millisecond
	searchRounds   = 2 // each M-SEARCH is a datagram and may get lost
	searchMXSecond = 1
)

// searchTargets are asked for one after the other: some routers answer only to
// the version they speak, others only to the first question of a burst.
var searchTargets = [...]string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:service:WANIPConnection:2",
	"urn:schemas-upnp-org:service:WANIPConnection:1",
	"urn:schemas-upnp-org:service:WANPPPConnection:1",
}

// candidate is an SSDP answer that passed inspection.
type candidate struct {
	responder netip.Addr
	location  *url.URL
	local     netip.Addr // our address in the responder's network
	dial      dialer     // how the responder is called
}

// searchRequest is the M-SEARCH of UPnP Device Architecture 1.1 section 1.3.2.
func searchRequest(to netip.AddrPort, target string) []byte {
	return fmt.Appendf(nil, "M-SEARCH * HTTP/1.1\r\nHOST: %s\r\nMAN: \"ssdp:discover\"\r\nMX: %d\r\nST: %s\r\n\r\n",
		to, searchMXSecond, target)
}

// search asks on one link until ctx ends and hands every acceptable answer,
// once, to found.
func search(ctx context.Context, l link, to netip.AddrPort, see Observer, found func(candidate), refused func(netip.Addr, error)) error {
	conn, err := l.listen()
	if err != nil {
		return fmt.Errorf("open a socket on %s: %w", l.name, err)
	}
	defer conn.Close()
	// Ends a read in progress; every later one is preceded by a look at ctx.
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()

	var (
		buf      = make([]byte, maxSSDPAnswer+1)
		seen     = make(map[string]bool)
		perHost  = make(map[netip.Addr]int)
		sent     = 0
		refusals = 0
		next     = time.Now()
	)
	for {
		if total := len(searchTargets) * searchRounds; sent < total && !time.Now().Before(next) {
			target := searchTargets[sent%len(searchTargets)]
			request := searchRequest(to, target)
			see.tell(Message{Protocol: ProtocolSSDP, Router: to.Addr(), Name: "M-SEARCH", Args: []Arg{{"ST", target}}})
			if _, err := conn.WriteTo(request, net.UDPAddrFromAddrPort(to)); err != nil {
				return fmt.Errorf("search on %s: %w", l.name, err)
			}
			sent++
			next = next.Add(searchSpacing)
			if sent == total {
				next = time.Time{} // nothing more to send: read until ctx ends
			}
		}
		conn.SetReadDeadline(next)
		if ctx.Err() != nil {
			return nil
		}
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read answers on %s: %w", l.name, err)
		}
		responder := from.(*net.UDPAddr).AddrPort().Addr().Unmap()
		if perHost[responder] >= maxPerHost || len(seen) >= maxPerLink {
			continue
		}
		local := l.local(responder)
		location, err := readAnswer(buf[:n], responder, local.IsValid())
		if err != nil {
			if refusals++; refusals <= maxRefused {
				refused(responder, err)
			}
			continue
		}
		if key := location.String(); !seen[key] {
			seen[key] = true
			see.tell(Message{Protocol: ProtocolSSDP, Router: responder, Answer: true, Name: "200 OK", Args: []Arg{{"LOCATION", key}}})
			perHost[responder]++
			found(candidate{responder: responder, location: location, local: local, dial: l.dial(local)})
		}
	}
}

// readAnswer reads one SSDP answer and gives its LOCATION, which must be plain
// http at the very address that answered; that must be a neighbour's.
func readAnswer(datagram []byte, responder netip.Addr, neighbour bool) (*url.URL, error) {
	if !neighbour {
		return nil, fmt.Errorf("%w: %s is not a private address of this link", ErrUntrustedLocation, responder)
	}
	if len(datagram) > maxSSDPAnswer {
		return nil, fmt.Errorf("%w: SSDP answer over %d bytes", ErrTooLarge, maxSSDPAnswer)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(datagram), maxSSDPAnswer), nil)
	if err != nil {
		return nil, fmt.Errorf("SSDP answer is not HTTP: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("SSDP answer has status %d", resp.StatusCode)
	}
	if st := resp.Header.Get("ST"); !isSearchTarget(st) {
		return nil, fmt.Errorf("SSDP answer is for %q, which was not asked for", cleanText(st))
	}
	return vetURL(resp.Header.Get("Location"), responder)
}

func isSearchTarget(st string) bool {
	for _, target := range searchTargets {
		if strings.EqualFold(st, target) {
			return true
		}
	}
	return false
}

// vetURL accepts a plain http URL whose host is the literal address host.
func vetURL(raw string, host netip.Addr) (*url.URL, error) {
	if raw == "" || len(raw) > maxLocation {
		return nil, fmt.Errorf("%w: URL of %d bytes", ErrUntrustedLocation, len(raw))
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrustedLocation, err)
	}
	if u.Scheme != "http" || u.User != nil || u.Opaque != "" {
		return nil, fmt.Errorf("%w: %q is not a plain http URL", ErrUntrustedLocation, cleanText(raw))
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err != nil || addr != host {
		return nil, fmt.Errorf("%w: %q was sent by %s", ErrUntrustedLocation, cleanText(raw), host)
	}
	return u, nil
}
