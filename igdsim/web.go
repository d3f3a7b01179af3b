package igdsim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
)

const (
	descriptionPath = "/igd.xml"
	controlPath     = "/control"
	maxCall         = 16 << 10 // bytes of a call
	maxArgs         = 16
	maxArg          = 256 // bytes of an argument
)

// handler serves the description and takes calls.
func (r *Router) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+descriptionPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
		fmt.Fprintf(w, description, escape(r.cfg.Name))
	})
	mux.HandleFunc("POST "+controlPath, r.control)
	return mux
}

// description is a device within a device within a device: what has the
// connection is two levels down (UPnP Device Architecture 1.1 section 2.3).
const description = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
 <specVersion><major>1</major><minor>1</minor></specVersion>
 <device>
  <deviceType>` + deviceType + `</deviceType>
  <friendlyName>%s</friendlyName><manufacturer>Peerlab</manufacturer><modelName>simulated</modelName><UDN>` + deviceID + `</UDN>
  <deviceList><device>
   <deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
   <friendlyName>WAN</friendlyName><manufacturer>Peerlab</manufacturer><modelName>simulated</modelName><UDN>` + deviceID + `-wan</UDN>
   <deviceList><device>
    <deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
    <friendlyName>connection</friendlyName><manufacturer>Peerlab</manufacturer><modelName>simulated</modelName><UDN>` + deviceID + `-connection</UDN>
    <serviceList><service>
     <serviceType>` + serviceType + `</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
     <SCPDURL>/scpd.xml</SCPDURL><controlURL>` + controlPath + `</controlURL><eventSubURL>/events</eventSubURL>
    </service></serviceList>
   </device></deviceList>
  </device></deviceList>
 </device>
</root>
`

// control takes one call (UPnP Device Architecture 1.1 section 3.2).
func (r *Router) control(w http.ResponseWriter, req *http.Request) {
	service, action, _ := strings.Cut(strings.Trim(req.Header.Get("Soapaction"), `"`), "#")
	if service != serviceType {
		http.Error(w, "SOAPACTION names no service of this device", http.StatusBadRequest)
		return
	}
	from, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	args, err := readCall(http.MaxBytesReader(w, req.Body, maxCall))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	results, err := r.call(from.Addr().Unmap(), action, args)
	w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
	if refusal, ok := errors.AsType[fault](err); ok {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, envelope, fmt.Sprintf(faultBody, refusal.code, escape(refusal.text)))
		return
	}
	var body strings.Builder
	fmt.Fprintf(&body, `<u:%sResponse xmlns:u="%s">`, action, serviceType)
	for _, a := range results {
		fmt.Fprintf(&body, "<%s>%s</%s>", a.name, escape(a.value), a.name)
	}
	fmt.Fprintf(&body, `</u:%sResponse>`, action)
	fmt.Fprintf(w, envelope, body.String())
}

const (
	envelope = `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>
`
	faultBody = `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>%s</errorDescription></UPnPError></detail></s:Fault>`
)

// errCall is for bodies that are no call.
var errCall = errors.New("not a SOAP call")

// readCall reads the arguments of a call: the elements within the one within
// the Body of the Envelope.
func readCall(body io.Reader) (map[string]string, error) {
	decoder := xml.NewDecoder(body)
	args := map[string]string{}
	depth, name, text := 0, "", strings.Builder{}
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && depth == 0:
			return args, nil
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errCall, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > 4 || depth == 4 && len(args) == maxArgs {
				return nil, fmt.Errorf("%w: too deep, or too many arguments", errCall)
			}
			if name = ""; depth == 4 {
				name = t.Name.Local
				text.Reset()
			}
		case xml.CharData:
			if name != "" {
				if text.Write(t); text.Len() > maxArg {
					return nil, fmt.Errorf("%w: %.40q is too long", errCall, name)
				}
			}
		case xml.EndElement:
			if depth == 4 {
				args[name] = strings.TrimSpace(text.String())
			}
			depth--
			name = ""
		}
	}
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
