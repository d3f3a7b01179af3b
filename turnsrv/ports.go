package turnsrv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

var errNoPort = errors.New("no free relay port")

// portRetry is how long a port the system refused is left alone.
const portRetry = 10 * time.Second

// portPool hands out relay ports. It keeps the free ones in a list and takes one
// at random from it: the last free port costs no more than the first, and which
// port comes next can't be foreseen.
type portPool struct {
	addr netip.Addr // where sockets are bound
	open func(netip.AddrPort) (udpConn, error)
	size int

	mu      sync.Mutex
	free    []uint16
	refused []refusedPort // oldest first
}

// refusedPort is a port in our range that somebody else sits on.
type refusedPort struct {
	port  uint16
	since time.Time
}

func newPortPool(c Config) *portPool {
	ports := c.RelayPorts
	p := &portPool{addr: bindAddr(c), open: c.openRelay, size: ports.Size(), free: make([]uint16, 0, ports.Size())}
	for port := int(ports.Min); port <= int(ports.Max); port++ {
		p.free = append(p.free, uint16(port))
	}
	return p
}

// bindAddr is where relay sockets are bound: as told, else at the relay address
// if this host has it, else anywhere.
func bindAddr(c Config) netip.Addr {
	if c.RelayListen.IsValid() {
		return c.RelayListen
	}
	if c.ListenRelay != nil {
		return c.RelayIP
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.RelayIP, 0)))
	if err != nil {
		return netip.IPv4Unspecified()
	}
	conn.Close()
	return c.RelayIP
}

// openRelay opens one relay socket.
func (c *Config) openRelay(at netip.AddrPort) (udpConn, error) {
	if c.ListenRelay == nil {
		return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	}
	pc, err := c.ListenRelay(at)
	if err != nil {
		return nil, err
	}
	conn, ok := pc.(udpConn)
	if !ok {
		pc.Close()
		return nil, fmt.Errorf("%w: %T", ErrNotUDP, pc)
	}
	return conn, nil
}

// listen binds a socket to a free port that fits. Ports the system refuses are
// set aside and tried again later; so each is tried once at most.
func (p *portPool) listen(fits func(port uint16) bool) (udpConn, uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retryRefusedLocked()
	for {
		port, ok := p.takeLocked(fits)
		if !ok {
			return nil, 0, fmt.Errorf("%w: %d of %d are with other programs", errNoPort, len(p.refused), p.size)
		}
		conn, err := p.open(netip.AddrPortFrom(p.addr, port))
		if err == nil {
			return conn, port, nil
		}
		p.refused = append(p.refused, refusedPort{port, time.Now()})
	}
}

// retryRefusedLocked puts ports back that were set aside long enough ago.
func (p *portPool) retryRefusedLocked() {
	for len(p.refused) > 0 && time.Since(p.refused[0].since) >= portRetry {
		p.free = append(p.free, p.refused[0].port)
		p.refused = p.refused[1:]
	}
}

// takeLocked removes one port from the free list: a random one that fits, the
// search for it going round the list from there.
func (p *portPool) takeLocked(fits func(port uint16) bool) (uint16, bool) {
	n := len(p.free)
	if n == 0 {
		return 0, false
	}
	start := rand.IntN(n)
	for i := range n {
		at := (start + i) % n
		if port := p.free[at]; fits(port) {
			p.free[at] = p.free[n-1]
			p.free = p.free[:n-1]
			return port, true
		}
	}
	return 0, false
}

// release gives a port back. Its socket has to be closed by then.
func (p *portPool) release(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, port)
}
