package nat

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/huin/goupnp"
	igd "github.com/huin/goupnp/dcps/internetgateway2"
)

// connection is what we ask of a WAN connection service. All three services
// have these actions; method names and argument order are goupnp's.
type connection interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string,
		internalPort uint16, internalClient string, enabled bool, description string, leaseSeconds uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
	GetSpecificPortMappingEntryCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) (
		internalPort uint16, internalClient string, enabled bool, description string, leaseSeconds uint32, err error)
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
	GetStatusInfoCtx(ctx context.Context) (status, lastError string, uptimeSeconds uint32, err error)
}

var (
	_ connection = (*igd.WANIPConnection1)(nil)
	_ connection = (*igd.WANIPConnection2)(nil)
	_ connection = (*igd.WANPPPConnection1)(nil)
)

// GatewayInfo is what there is to be shown of a gateway.
type GatewayInfo struct {
	Name     string     `json:"name"`    // friendlyName of the description
	Model    string     `json:"model"`   // manufacturer, model name and number
	Service  string     `json:"service"` // such as "WANIPConnection:2"
	Location string     `json:"location"`
	Address  netip.Addr `json:"address"` // of the gateway, on our network
	Local    netip.Addr `json:"local"`   // of the interface the gateway is reached by: the internal client of mappings
	// External is the address the gateway says it has outside; zero if it says none.
	External netip.Addr `json:"external,omitzero"`
	// Connected tells that the gateway says its connection is up.
	Connected bool `json:"connected"`
}

// Gateway is one WAN connection of a router that answered.
type Gateway struct {
	GatewayInfo
	conn connection
}

// gatewaysOf asks the device behind a candidate for its WAN connections. One
// that does not answer at all is left out.
func gatewaysOf(ctx context.Context, c candidate, see Observer) ([]*Gateway, error) {
	root, err := inspectDevice(ctx, c, see)
	if err != nil {
		return nil, err
	}
	conns, err := connections(root, c.location, c.responder)
	if err != nil {
		return nil, err
	}
	var gateways []*Gateway
	for _, svc := range conns {
		svc.client.SOAPClient.HTTPClient = gatewayClient(c.responder, c.dial, maxSOAPAnswer)
		gw := &Gateway{
			GatewayInfo: GatewayInfo{
				Name:     cleanText(root.Device.FriendlyName),
				Model:    cleanText(strings.Join([]string{root.Device.Manufacturer, root.Device.ModelName, root.Device.ModelNumber}, " ")),
				Service:  strings.TrimPrefix(svc.client.Service.ServiceType, "urn:schemas-upnp-org:service:"),
				Location: c.location.String(),
				Address:  c.responder,
				Local:    c.local,
			},
			conn: see.watch(svc.conn, c.responder),
		}
		now, askErr := gw.ask(ctx)
		if askErr != nil && !isFault(askErr) {
			err = askErr
			continue
		}
		gw.External, gw.Connected = now.external, now.connected
		gateways = append(gateways, gw)
	}
	if len(gateways) == 0 {
		return nil, fmt.Errorf("no WAN connection of it answers: %w", err)
	}
	return gateways, nil
}

// maxConnections bounds how many services of one device are asked.
const maxConnections = 4

type service struct {
	client *goupnp.ServiceClient
	conn   connection
}

// connections lists the WAN connection services of a description, the newest
// kind first. A service whose control URL is elsewhere is left out.
func connections(root *goupnp.RootDevice, location *url.URL, host netip.Addr) ([]service, error) {
	var all []service
	// These constructors fail only if the description has no such service.
	if clients, err := igd.NewWANIPConnection2ClientsFromRootDevice(root, location); err == nil {
		for _, c := range clients {
			all = append(all, service{&c.ServiceClient, c})
		}
	}
	if clients, err := igd.NewWANIPConnection1ClientsFromRootDevice(root, location); err == nil {
		for _, c := range clients {
			all = append(all, service{&c.ServiceClient, c})
		}
	}
	if clients, err := igd.NewWANPPPConnection1ClientsFromRootDevice(root, location); err == nil {
		for _, c := range clients {
			all = append(all, service{&c.ServiceClient, c})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q has no WAN connection", cleanText(root.Device.FriendlyName))
	}
	var vetted []service
	var err error
	for _, s := range all {
		if _, vetErr := vetURL(s.client.SOAPClient.EndpointURL.String(), host); vetErr != nil {
			err = fmt.Errorf("control URL: %w", vetErr)
			continue
		}
		if len(vetted) < maxConnections {
			vetted = append(vetted, s)
		}
	}
	if len(vetted) == 0 {
		return nil, err
	}
	return vetted, nil
}

// condition is what a gateway says of itself at one moment.
type condition struct {
	external  netip.Addr
	connected bool
	uptime    uint32 // seconds; 0 if it does not say
}

// ask asks for the external address, and for status and uptime, which some do not tell.
func (g *Gateway) ask(ctx context.Context) (condition, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	external, err := g.conn.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return condition{}, fmt.Errorf("ask the gateway for its address: %w", callError(err))
	}
	now := condition{external: parseExternal(external)}
	now.connected = now.external.IsValid()
	if status, _, uptime, err := g.conn.GetStatusInfoCtx(ctx); err == nil {
		now.connected = strings.EqualFold(status, "Connected")
		now.uptime = uptime
	}
	return now, nil
}

// entry is a mapping as the gateway has it.
type entry struct {
	client      string
	port        uint16
	description string
	lease       uint32 // seconds left; 0 is for ever
}

func (e *entry) pointsTo(local netip.Addr, port uint16) bool {
	client, err := netip.ParseAddr(e.client)
	return err == nil && client == local && e.port == port
}

// lookup tells who has an external port: nil if nobody has, or if the gateway won't say.
func (g *Gateway) lookup(ctx context.Context, protocol Protocol, external uint16) (*entry, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	port, client, _, description, lease, err := g.conn.GetSpecificPortMappingEntryCtx(ctx, "", external, string(protocol))
	if err = callError(err); isFault(err) {
		if faultCode(err) == codeNoSuchEntry {
			return nil, nil
		}
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("look up external port %d: %w", external, err)
	}
	return &entry{client: client, port: port, description: description, lease: lease}, nil
}

func (g *Gateway) add(ctx context.Context, m Mapping, external uint16, leaseSeconds uint32) error {
	if !canForwardTo(g.Local) {
		return fmt.Errorf("map to %s: %w", g.Local, ErrInternalClient)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := g.conn.AddPortMappingCtx(ctx, "", external, string(m.Protocol), m.InternalPort, g.Local.String(), true, m.Description, leaseSeconds)
	if err = callError(err); err != nil {
		return fmt.Errorf("map external %s port %d: %w", m.Protocol, external, err)
	}
	return nil
}

func (g *Gateway) remove(ctx context.Context, protocol Protocol, external uint16) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := callError(g.conn.DeletePortMappingCtx(ctx, "", external, string(protocol)))
	if err != nil && faultCode(err) != codeNoSuchEntry {
		return fmt.Errorf("remove external %s port %d: %w", protocol, external, err)
	}
	return nil
}

// canForwardTo tells an internal client that a router can forward to.
func canForwardTo(a netip.Addr) bool { return a.Is4() && usable(a) }
