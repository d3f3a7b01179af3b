package netsim

import (
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// port is where a host's stack meets the line: a link endpoint without a link
// layer, since the line carries bare IP packets.
type port struct {
	host *Host
	mtu  uint32

	mu sync.RWMutex
	up stack.NetworkDispatcher // nil when the stack is gone
}

var _ stack.LinkEndpoint = (*port)(nil)

// WritePackets gives packets to the line. It takes all of them: what the line
// has no room for is lost on it, as on a real one.
func (p *port) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		p.host.net.send(p.host, pkt.ToView())
	}
	return pkts.Len(), nil
}

// receive hands a packet to the stack.
func (p *port) receive(view *buffer.View) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(view)})
	defer pkt.DecRef()
	p.mu.RLock()
	up := p.up
	p.mu.RUnlock()
	if up != nil {
		up.DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
	}
}

func (p *port) Attach(up stack.NetworkDispatcher) {
	p.mu.Lock()
	p.up = up
	p.mu.Unlock()
}

func (p *port) IsAttached() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.up != nil
}

func (p *port) MTU() uint32                                { return p.mtu }
func (*port) SetMTU(uint32)                                {}
func (*port) MaxHeaderLength() uint16                      { return 0 }
func (*port) LinkAddress() tcpip.LinkAddress               { return "" }
func (*port) SetLinkAddress(tcpip.LinkAddress)             {}
func (*port) Capabilities() stack.LinkEndpointCapabilities { return stack.CapabilityNone }
func (*port) Wait()                                        {}
func (*port) Close()                                       {}
func (*port) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (*port) AddHeader(*stack.PacketBuffer)                {}
func (*port) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (*port) SetOnCloseAction(func())                      {}
