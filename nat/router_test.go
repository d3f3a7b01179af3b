package nat

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/huin/goupnp/soap"
)

// router is a router's table of port mappings, with the manners of real ones
// to be chosen. It is spoken to directly (as a connection) or over SOAP.
type router struct {
	mu       sync.Mutex
	external string
	booted   time.Time
	table    map[string]held // "TCP 8080"
	adds     []string        // every AddPortMapping granted: "TCP 8080 1200s"

	onlyPermanent bool
	noRenewal     bool // answers 718 to the client that has the port
	noLookup      bool // does not tell who has a port
	forbidBelow   uint16
	mute          bool          // does not answer
	slow          time.Duration // until it answers
	cutOff        bool          // does as asked, but the answer gets lost
}

type held struct {
	client  string
	port    uint16
	text    string
	lease   uint32
	expires time.Time
}

var _ connection = (*router)(nil)

func newRouter() *router {
	return &router{external: "198.51.100.7", booted: time.Now().Add(-time.Hour), table: make(map[string]held)}
}

func key(protocol string, port uint16) string { return fmt.Sprintf("%s %d", protocol, port) }

func fault(code int, text string) error {
	f := new(soap.SOAPFaultError)
	f.FaultCode, f.FaultString = "s:Client", "UPnPError"
	f.Detail.UPnPError.Errorcode, f.Detail.UPnPError.ErrorDescription = code, text
	return f
}

// enter locks the router, or plays dead until the caller gives up.
func (r *router) enter(ctx context.Context) error {
	r.mu.Lock()
	if slow := r.slow; slow > 0 {
		r.mu.Unlock()
		pause(ctx, slow)
		r.mu.Lock()
	}
	if !r.mute && ctx.Err() == nil {
		return nil
	}
	r.mu.Unlock()
	<-ctx.Done()
	return fmt.Errorf("goupnp: error performing SOAP HTTP request: %v", ctx.Err())
}

func (r *router) lookup(protocol string, port uint16) (held, bool) {
	e, ok := r.table[key(protocol, port)]
	if ok && e.lease != 0 && !time.Now().Before(e.expires) {
		delete(r.table, key(protocol, port))
		return held{}, false
	}
	return e, ok
}

func (r *router) AddPortMappingCtx(ctx context.Context, _ string, external uint16, protocol string, internal uint16, client string, _ bool, text string, lease uint32) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	if external < r.forbidBelow {
		return fault(606, "Action not authorized")
	}
	if r.onlyPermanent && lease != 0 {
		return fault(725, "OnlyPermanentLeasesSupported")
	}
	if e, ok := r.lookup(protocol, external); ok && (r.noRenewal || e.client != client || e.port != internal) {
		return fault(718, "ConflictInMappingEntry")
	}
	r.table[key(protocol, external)] = held{client, internal, text, lease, time.Now().Add(time.Duration(lease) * time.Second)}
	r.adds = append(r.adds, fmt.Sprintf("%s %d %ds", protocol, external, lease))
	if r.cutOff {
		return errors.New("goupnp: error performing SOAP HTTP request: connection reset")
	}
	return nil
}

func (r *router) DeletePortMappingCtx(ctx context.Context, _ string, external uint16, protocol string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	if _, ok := r.lookup(protocol, external); !ok {
		return fault(714, "NoSuchEntryInArray")
	}
	delete(r.table, key(protocol, external))
	return nil
}

func (r *router) GetSpecificPortMappingEntryCtx(ctx context.Context, _ string, external uint16, protocol string) (uint16, string, bool, string, uint32, error) {
	if err := r.enter(ctx); err != nil {
		return 0, "", false, "", 0, err
	}
	defer r.mu.Unlock()
	if r.noLookup {
		return 0, "", false, "", 0, fault(401, "Invalid Action")
	}
	e, ok := r.lookup(protocol, external)
	if !ok {
		return 0, "", false, "", 0, fault(714, "NoSuchEntryInArray")
	}
	left := uint32(0)
	if e.lease != 0 {
		left = uint32(time.Until(e.expires) / time.Second)
	}
	return e.port, e.client, true, e.text, left, nil
}

func (r *router) GetExternalIPAddressCtx(ctx context.Context) (string, error) {
	if err := r.enter(ctx); err != nil {
		return "", err
	}
	defer r.mu.Unlock()
	return r.external, nil
}

func (r *router) GetStatusInfoCtx(ctx context.Context) (string, string, uint32, error) {
	if err := r.enter(ctx); err != nil {
		return "", "", 0, err
	}
	defer r.mu.Unlock()
	return "Connected", "ERROR_NONE", uint32(time.Since(r.booted) / time.Second), nil
}

// set changes the router under its lock.
func (r *router) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// has tells what an external port goes to: "192.168.1.10:8080", or "".
func (r *router) has(protocol string, port uint16) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.lookup(protocol, port)
	if !ok {
		return ""
	}
	return net.JoinHostPort(e.client, strconv.Itoa(int(e.port)))
}

func (r *router) granted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.adds...)
}

const testDescription = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>%s
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>Test box</friendlyName><manufacturer>Nobody</manufacturer><modelName>NAT</modelName><modelNumber>9</modelNumber><UDN>uuid:1</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:%s</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/scpd.xml</SCPDURL><controlURL>%s</controlURL><eventSubURL>/evt</eventSubURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>`

// soapHandler speaks SOAP for a router, enough of it for the five actions.
func soapHandler(r connection, service string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		namespace, action, _ := strings.Cut(strings.Trim(req.Header.Get("Soapaction"), `"`), "#")
		if namespace != "urn:schemas-upnp-org:service:"+service {
			http.Error(w, "wrong service "+namespace, http.StatusBadRequest)
			return
		}
		out, err := call(req.Context(), r, action, readArguments(req.Body))
		w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
		body := fmt.Sprintf(`<u:%sResponse xmlns:u="%s">%s</u:%sResponse>`, action, namespace, out, action)
		if f, ok := errors.AsType[*soap.SOAPFaultError](err); ok {
			w.WriteHeader(http.StatusInternalServerError)
			body = fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>%s</errorDescription></UPnPError></detail></s:Fault>`,
				f.Detail.UPnPError.Errorcode, f.Detail.UPnPError.ErrorDescription)
		}
		fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>`, body)
	})
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func readArguments(body io.Reader) map[string]string {
	args := make(map[string]string)
	decoder, name := xml.NewDecoder(body), ""
	for {
		token, err := decoder.Token()
		if err != nil {
			return args
		}
		switch t := token.(type) {
		case xml.StartElement:
			name = t.Name.Local
		case xml.CharData:
			args[name] += string(t)
		case xml.EndElement:
			name = ""
		}
	}
}

func call(ctx context.Context, r connection, action string, args map[string]string) (string, error) {
	port := func(name string) uint16 {
		n, _ := strconv.ParseUint(args[name], 10, 16)
		return uint16(n)
	}
	switch action {
	case "AddPortMapping":
		lease, _ := strconv.ParseUint(args["NewLeaseDuration"], 10, 32)
		return "", r.AddPortMappingCtx(ctx, "", port("NewExternalPort"), args["NewProtocol"], port("NewInternalPort"),
			args["NewInternalClient"], true, args["NewPortMappingDescription"], uint32(lease))
	case "DeletePortMapping":
		return "", r.DeletePortMappingCtx(ctx, "", port("NewExternalPort"), args["NewProtocol"])
	case "GetSpecificPortMappingEntry":
		internal, client, _, text, lease, err := r.GetSpecificPortMappingEntryCtx(ctx, "", port("NewExternalPort"), args["NewProtocol"])
		return fmt.Sprintf("<NewInternalPort>%d</NewInternalPort><NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled>"+
			"<NewPortMappingDescription>%s</NewPortMappingDescription><NewLeaseDuration>%d</NewLeaseDuration>", internal, client, escape(text), lease), err
	case "GetExternalIPAddress":
		address, err := r.GetExternalIPAddressCtx(ctx)
		return "<NewExternalIPAddress>" + address + "</NewExternalIPAddress>", err
	case "GetStatusInfo":
		status, last, uptime, err := r.GetStatusInfoCtx(ctx)
		return fmt.Sprintf("<NewConnectionStatus>%s</NewConnectionStatus><NewLastConnectionError>%s</NewLastConnectionError><NewUptime>%d</NewUptime>",
			status, last, uptime), err
	}
	return "", fault(401, "Invalid Action")
}

// ssdpResponder answers every M-SEARCH on a loopback port with answer(ST), if that is not "".
func ssdpResponder(t *testing.T, answer func(st string) string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, rest, _ := strings.Cut(string(buf[:n]), "\r\nST: ")
			st, _, _ := strings.Cut(rest, "\r\n")
			if text := answer(st); text != "" {
				conn.WriteTo([]byte(text), from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func ssdpAnswer(st, location string) string {
	return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: " + st + "\r\nUSN: uuid:1::" + st +
		"\r\nEXT:\r\nSERVER: test\r\nLOCATION: " + location + "\r\nContent-Length: 0\r\n\r\n"
}

// loopbackFinder searches on the loopback, as if it were a network on which we
// are local and the router has the address 127.0.0.1.
func loopbackFinder(ssdp netip.AddrPort) *Finder {
	f := NewFinder(nil)
	f.ssdp = ssdp
	f.links = func() ([]link, error) {
		return []link{{
			name:   "test",
			listen: func() (net.PacketConn, error) { return net.ListenPacket("udp4", "127.0.0.1:0") },
			local: func(neighbour netip.Addr) netip.Addr {
				if neighbour != netip.MustParseAddr("127.0.0.1") {
					return netip.Addr{}
				}
				return testLocal
			},
			dial: func(netip.Addr) dialer {
				return func(ctx context.Context, address string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp4", address)
				}
			},
		}}, nil
	}
	return f
}

// startRouter puts a router on the loopback, with description, SOAP and SSDP.
func startRouter(t *testing.T, r connection, service string) *Finder {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /desc.xml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, testDescription, "", service, "/ctl")
	})
	mux.Handle("POST /ctl", soapHandler(r, service))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	ssdp := ssdpResponder(t, func(st string) string { return ssdpAnswer(st, server.URL+"/desc.xml") })
	return loopbackFinder(ssdp)
}
