package nat

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/huin/goupnp"
)

// What a Message is written in.
const (
	ProtocolSSDP = "SSDP"    // multicast search and its answers, over UDP
	ProtocolHTTP = "HTTP"    // the description of a device
	ProtocolSOAP = "SOAP"    // calls of its services, over HTTP
	ProtocolPMP  = "NAT-PMP" // datagrams of RFC 6886
)

// Message is one thing that was said to a router, or by one.
type Message struct {
	Protocol string
	// Router is who was asked or answers; of a search, the group it goes to.
	Router netip.Addr
	// Answer tells that the router says it.
	Answer bool
	// Name is the request's ("M-SEARCH", "AddPortMapping"), or the status of an
	// answer ("200 OK", "UPnP error 718"). No answer is told of as one named "no answer".
	Name string
	// Args are its arguments, in order, as the protocol calls them. The words of
	// a router have been made fit to be shown.
	Args []Arg
	// Code is the router's code for a refusal; 0: none.
	Code int
	// Took is the time since the request, of an answer to one that had to wait.
	Took time.Duration
}

// Arg is a named argument of a Message.
type Arg struct{ Name, Value string }

// Observer hears of every message as it is sent or has come. It is called from
// several goroutines and must not block. Nil is nobody.
type Observer func(Message)

func (o Observer) tell(m Message) {
	if o != nil {
		o(m)
	}
}

// watch wraps a connection so that its calls are told of.
func (o Observer) watch(c connection, router netip.Addr) connection {
	if o == nil {
		return c
	}
	return &watched{conn: c, see: o, router: router}
}

// inspectDevice is fetchDescription, told of.
func inspectDevice(ctx context.Context, c candidate, see Observer) (*goupnp.RootDevice, error) {
	began := time.Now()
	see.tell(Message{Protocol: ProtocolHTTP, Router: c.responder, Name: "GET " + cleanText(c.location.Path)})
	root, err := fetchDescription(ctx, c)
	answer := Message{Protocol: ProtocolHTTP, Router: c.responder, Answer: true, Name: "200 OK", Took: time.Since(began)}
	if err != nil {
		answer.Name, answer.Args = "no usable description", []Arg{{"error", cleanTo(err.Error(), maxError)}}
	} else {
		answer.Args = []Arg{{"deviceType", cleanText(root.Device.DeviceType)}, {"friendlyName", cleanText(root.Device.FriendlyName)}}
	}
	see.tell(answer)
	return root, err
}

// watched is a connection whose calls an Observer hears of.
type watched struct {
	conn   connection
	see    Observer
	router netip.Addr
}

var _ connection = (*watched)(nil)

// call tells of a call and returns what tells of its answer.
func (w *watched) call(action string, args ...Arg) (answered func(err error, results ...Arg)) {
	began := time.Now()
	w.see.tell(Message{Protocol: ProtocolSOAP, Router: w.router, Name: action, Args: args})
	return func(err error, results ...Arg) {
		m := Message{Protocol: ProtocolSOAP, Router: w.router, Answer: true, Name: "200 OK", Args: results, Took: time.Since(began)}
		switch err = callError(err); {
		case isFault(err):
			m.Code = faultCode(err)
			m.Name, m.Args = fmt.Sprintf("500, UPnP error %d", m.Code), []Arg{{"error", err.Error()}}
		case err != nil:
			m.Name, m.Args = noAnswer, []Arg{{"error", err.Error()}}
		}
		w.see.tell(m)
	}
}

// noAnswer is the name of an answer that did not come.
const noAnswer = "no answer"

func number[N ~uint16 | ~uint32](n N) string { return strconv.FormatUint(uint64(n), 10) }

func (w *watched) AddPortMappingCtx(ctx context.Context, remoteHost string, external uint16, protocol string,
	internal uint16, client string, enabled bool, description string, lease uint32,
) error {
	answered := w.call("AddPortMapping", Arg{"NewExternalPort", number(external)}, Arg{"NewProtocol", protocol},
		Arg{"NewInternalPort", number(internal)}, Arg{"NewInternalClient", client},
		Arg{"NewPortMappingDescription", description}, Arg{"NewLeaseDuration", number(lease)})
	err := w.conn.AddPortMappingCtx(ctx, remoteHost, external, protocol, internal, client, enabled, description, lease)
	answered(err)
	return err
}

func (w *watched) DeletePortMappingCtx(ctx context.Context, remoteHost string, external uint16, protocol string) error {
	answered := w.call("DeletePortMapping", Arg{"NewExternalPort", number(external)}, Arg{"NewProtocol", protocol})
	err := w.conn.DeletePortMappingCtx(ctx, remoteHost, external, protocol)
	answered(err)
	return err
}

func (w *watched) GetSpecificPortMappingEntryCtx(ctx context.Context, remoteHost string, external uint16, protocol string) (
	internal uint16, client string, enabled bool, description string, lease uint32, err error,
) {
	answered := w.call("GetSpecificPortMappingEntry", Arg{"NewExternalPort", number(external)}, Arg{"NewProtocol", protocol})
	internal, client, enabled, description, lease, err = w.conn.GetSpecificPortMappingEntryCtx(ctx, remoteHost, external, protocol)
	answered(err, Arg{"NewInternalPort", number(internal)}, Arg{"NewInternalClient", cleanText(client)},
		Arg{"NewPortMappingDescription", cleanText(description)}, Arg{"NewLeaseDuration", number(lease)})
	return internal, client, enabled, description, lease, err
}

func (w *watched) GetExternalIPAddressCtx(ctx context.Context) (string, error) {
	answered := w.call("GetExternalIPAddress")
	external, err := w.conn.GetExternalIPAddressCtx(ctx)
	answered(err, Arg{"NewExternalIPAddress", cleanText(external)})
	return external, err
}

func (w *watched) GetStatusInfoCtx(ctx context.Context) (status, lastError string, uptime uint32, err error) {
	answered := w.call("GetStatusInfo")
	status, lastError, uptime, err = w.conn.GetStatusInfoCtx(ctx)
	answered(err, Arg{"NewConnectionStatus", cleanText(status)}, Arg{"NewUptime", number(uptime)})
	return status, lastError, uptime, err
}
