package nat

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/pion/stun"
)

var fuzzHost = netip.MustParseAddr("192.168.1.1")

func FuzzSSDPAnswer(f *testing.F) {
	f.Add([]byte(ssdpAnswer(searchTargets[0], "http://192.168.1.1:5000/desc.xml")))
	f.Add([]byte(ssdpAnswer(searchTargets[4], "http://192.168.1.1@evil/")))
	f.Add([]byte(ssdpAnswer("upnp:rootdevice", "http://192.168.1.1/")))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"))
	f.Add([]byte("NOTIFY * HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		location, err := readAnswer(datagram, fuzzHost, true)
		if err != nil {
			return
		}
		if location.Scheme != "http" || location.Hostname() != fuzzHost.String() || location.User != nil {
			t.Errorf("accepted %q", location)
		}
	})
}

func FuzzDescription(f *testing.F) {
	f.Add(fmt.Appendf(nil, testDescription, "", "WANIPConnection:1", "/ctl"))
	f.Add(fmt.Appendf(nil, testDescription, "<URLBase>http://192.168.1.1:80</URLBase>", "WANPPPConnection:1", "ctl"))
	f.Add(fmt.Appendf(nil, testDescription, "", "WANIPConnection:2", "http://10.0.0.1/ctl"))
	f.Add(fmt.Appendf(nil, testDescription, "", "WANIPConnection:2", "//evil/ctl"))
	f.Add(bytes.Repeat([]byte("<device>"), 1000))
	f.Add([]byte(`<!DOCTYPE r [<!ENTITY a "&b;&b;">]><root xmlns="urn:schemas-upnp-org:device-1-0">&a;</root>`))
	location, _ := url.Parse("http://192.168.1.1:5000/desc.xml")
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxDescription {
			return // never read
		}
		root, err := readDescription(body, location, fuzzHost)
		if err != nil {
			return
		}
		services, err := connections(root, location, fuzzHost)
		if err == nil && (len(services) == 0 || len(services) > maxConnections) {
			t.Errorf("%d services and no error", len(services))
		}
		for _, s := range services {
			if u := s.client.SOAPClient.EndpointURL; u.Scheme != "http" || u.Hostname() != fuzzHost.String() {
				t.Errorf("would call %q", u.String())
			}
		}
	})
}

type cannedAnswer struct {
	status int
	body   []byte
}

func (c cannedAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Status: http.StatusText(c.status), Body: io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)), Request: req, Header: http.Header{}}, nil
}

func FuzzSOAPAnswer(f *testing.F) {
	envelope := func(body string) []byte {
		return []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`)
	}
	f.Add(200, envelope(`<u:R xmlns:u="x"><NewExternalIPAddress>25.0.0.1</NewExternalIPAddress></u:R>`))
	f.Add(200, envelope(`<u:R xmlns:u="x"><NewInternalPort>99999</NewInternalPort><NewInternalClient>&#27;[2J</NewInternalClient></u:R>`))
	f.Add(500, envelope(`<s:Fault><detail><UPnPError><errorCode>718</errorCode><errorDescription>Conflict</errorDescription></UPnPError></detail></s:Fault>`))
	f.Add(500, envelope(`<s:Fault/>`))
	f.Add(500, []byte{})
	f.Add(200, []byte("<"))
	location, _ := url.Parse("http://192.168.1.1:5000/desc.xml")
	root, err := readDescription(fmt.Appendf(nil, testDescription, "", "WANIPConnection:2", "/ctl"), location, fuzzHost)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		services, err := connections(root, location, fuzzHost)
		if err != nil {
			t.Fatal(err)
		}
		services[0].client.SOAPClient.HTTPClient = http.Client{Transport: cappedTransport{cannedAnswer{status, body}, maxSOAPAnswer}}
		gw := &Gateway{GatewayInfo: GatewayInfo{Local: testLocal}, conn: services[0].conn}
		if now, err := gw.ask(t.Context()); err == nil && now.external.IsValid() && !usable(now.external) {
			t.Errorf("external %v", now.external)
		}
		for _, err := range []error{gw.add(t.Context(), web, 8080, 60), gw.remove(t.Context(), TCP, 8080)} {
			if err != nil && (!utf8.ValidString(err.Error()) || len(err.Error()) > 4*(maxError+maxText)) {
				t.Errorf("error of %d bytes: %q", len(err.Error()), err)
			}
		}
		gw.lookup(t.Context(), TCP, 8080)
	})
}

func FuzzBinding(f *testing.F) {
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		f.Fatal(err)
	}
	id := stun.NewTransactionIDSetter(request.TransactionID)
	f.Add(success(f, request, netip.MustParseAddrPort("198.51.100.7:40000"))[20:])
	f.Add(success(f, request, netip.MustParseAddrPort("[2001:db8::1]:40000"))[20:])
	f.Add(build(f, id, stun.BindingSuccess, stun.RawAttribute{Type: stun.AttrXORMappedAddress})[20:])
	f.Add(build(f, id, stun.BindingSuccess, stun.RawAttribute{Type: stun.AttrXORMappedAddress, Value: []byte{0}})[20:])
	f.Add(build(f, id, stun.BindingSuccess, &stun.OtherAddress{IP: net.IPv4(198, 51, 100, 8), Port: 3479})[20:])
	f.Add(build(f, id, stun.BindingError, stun.RawAttribute{Type: stun.AttrErrorCode, Value: []byte{0}})[20:])
	f.Fuzz(func(t *testing.T, attributes []byte) {
		for _, kind := range []stun.MessageType{stun.BindingSuccess, stun.BindingError} {
			datagram := build(t, id, kind)
			datagram[2], datagram[3] = byte(len(attributes)>>8), byte(len(attributes))
			addr, err := readBinding(append(datagram, attributes...), request.TransactionID)
			if err == nil && (addr.Port() == 0 || !addr.Addr().IsValid() || addr.Addr().IsMulticast() || addr.Addr().IsUnspecified()) {
				t.Errorf("accepted %v", addr)
			}
			other := readOther(append(datagram, attributes...))
			if other.IsValid() && (other.Port() == 0 || !other.Addr().Is4() || other.Addr().IsMulticast() || other.Addr().IsUnspecified()) {
				t.Errorf("OTHER-ADDRESS %v", other)
			}
		}
	})
}

func FuzzPMP(f *testing.F) {
	f.Add(PMPRequest{}.Append(nil))
	f.Add(PMPRequest{Opcode: PMPMapTCP, Internal: 80, External: 8080, Lifetime: 60}.Append(nil))
	f.Add(PMPAnswer{Epoch: 7, Address: fuzzHost}.Append(nil))
	f.Add(PMPAnswer{Opcode: PMPMapUDP, Internal: 80, External: 8080, Lifetime: 60}.Append(nil))
	f.Add(PMPAnswer{Opcode: PMPMapTCP, Result: PMPNotAuthorized}.Append(nil))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if r, err := ParsePMPRequest(datagram); err == nil && r.Version == 0 {
			if again := r.Append(nil); !bytes.Equal(again[:2], datagram[:2]) || len(again) > len(datagram) {
				t.Errorf("%x is read as %+v, which is %x", datagram, r, again)
			}
		}
		for opcode := range byte(3) {
			to := PMPRequest{Opcode: opcode, Internal: 80}
			a, err := ParsePMPAnswer(datagram, to)
			if err == nil && a.Result == PMPSuccess && opcode != PMPExternal && a.Internal != to.Internal {
				t.Errorf("%x is taken for the answer about port %d", datagram, to.Internal)
			}
		}
	})
}
