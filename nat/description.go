package nat

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/huin/goupnp"
)

const (
	maxDescription = 128 << 10 // bytes of a device description
	maxSOAPAnswer  = 64 << 10  // bytes of an answer to a call
	callTimeout    = 3 * time.Second
)

// gatewayClient is an HTTP client that can talk to one host only: every dial
// goes to that address, from ours on its link, whatever the URL says.
func gatewayClient(host netip.Addr, dial dialer, maxBody int64) http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to, err := netip.ParseAddrPort(address)
			if err != nil || to.Addr() != host {
				return nil, fmt.Errorf("dial %s: %w", address, ErrUntrustedLocation)
			}
			return dial(ctx, address)
		},
		// A call a minute does not pay for an idle connection, and home
		// routers have few to give.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		ResponseHeaderTimeout:  callTimeout,
		MaxResponseHeaderBytes: 16 << 10,
	}
	return http.Client{
		Transport:     cappedTransport{transport, maxBody},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Timeout:       callTimeout,
	}
}

// cappedTransport fails the reading of a body beyond max bytes.
type cappedTransport struct {
	next http.RoundTripper
	max  int64
}

func (t cappedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &cappedBody{resp.Body, t.max}
	return resp, nil
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than allowed tells an end from an excess
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// fetchDescription gets and reads the description at a vetted location.
func fetchDescription(ctx context.Context, c candidate) (*goupnp.RootDevice, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.location.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the description: %w", err)
	}
	client := gatewayClient(c.responder, c.dial, maxDescription)
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("get the description: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get the description: status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	return readDescription(body, c.location, c.responder)
}

// readDescription reads a device description (UPnP Device Architecture 1.1
// section 2.3) and resolves its URLs, whose base must be at host.
func readDescription(body []byte, location *url.URL, host netip.Addr) (*goupnp.RootDevice, error) {
	root := new(goupnp.RootDevice)
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := decoder.Decode(root); err != nil {
		return nil, fmt.Errorf("the description is not one: %w", err)
	}
	base := location
	if root.URLBaseStr != "" {
		var err error
		if base, err = vetURL(root.URLBaseStr, host); err != nil {
			return nil, fmt.Errorf("URLBase of the description: %w", err)
		}
	}
	root.SetURLBase(base)
	return root, nil
}
