package igdsim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
)

const (
	deviceType  = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
	serviceType = "urn:schemas-upnp-org:service:WANIPConnection:1"
	deviceID    = "uuid:70656572-6c61-4062-8000-000000000001"
	serverName  = "simulated UPnP/1.1 Peerlab/1"
	maxSearch   = 2048 // bytes of a search
)

// targets are what the router answers to when it is searched for.
var targets = map[string]bool{"ssdp:all": true, "upnp:rootdevice": true, deviceType: true, serviceType: true}

// errNotForUs is for searches for other things, and for what is none.
var errNotForUs = errors.New("not a search for this device")

// readSearch reads an M-SEARCH (UPnP Device Architecture 1.1 section 1.3.2) and
// gives what it is for.
func readSearch(datagram []byte) (target string, err error) {
	if len(datagram) > maxSearch {
		return "", fmt.Errorf("%w: over %d bytes", errNotForUs, maxSearch)
	}
	req, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(datagram), maxSearch))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotForUs, err)
	}
	if req.Method != "M-SEARCH" || req.RequestURI != "*" || req.Header.Get("Man") != `"ssdp:discover"` {
		return "", errNotForUs
	}
	if target = req.Header.Get("St"); !targets[target] {
		return "", errNotForUs
	}
	return target, nil
}

// answerSearches tells everybody who searches where the description is. MX, the
// time to spread answers over, is for networks with many devices.
func (r *Router) answerSearches() error {
	buf := make([]byte, maxSearch+1)
	for {
		n, from, err := r.ssdp.ReadFrom(buf)
		if err != nil {
			return err
		}
		target, err := readSearch(buf[:n])
		if err != nil {
			continue
		}
		answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: http://%s%s\r\nSERVER: %s\r\nST: %s\r\nUSN: %s::%s\r\n\r\n",
			r.web.Addr(), descriptionPath, serverName, target, deviceID, target)
		r.ssdp.WriteTo(answer, from) // a datagram may get lost anyhow
	}
}
