package turnsrv

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Bounds of callers: about 20 MB if all are in use.
const (
	maxCallers     = 1 << 10
	maxCallerPorts = 128 // of one holder, so that nobody pushes others out with his
	callerLife     = 15 * time.Minute
)

// callers remembers who has asked lately. RESPONSE-PORT sends an answer to
// another port of whoever asks (RFC 5780 section 7.5); it goes to callers only,
// so that nobody can aim it at a socket that never spoke to us.
type callers struct {
	mu sync.Mutex
	by *lru.Cache[netip.Addr, *lru.Cache[netip.AddrPort, time.Time]] // by holder
}

func newCallers() (*callers, error) {
	by, err := lru.New[netip.Addr, *lru.Cache[netip.AddrPort, time.Time]](maxCallers)
	return &callers{by: by}, err
}

// called notes that a client has asked.
func (c *callers) called(client netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := holder(client.Addr())
	ports, known := c.by.Get(who)
	if !known {
		ports, _ = lru.New[netip.AddrPort, time.Time](maxCallerPorts) // fails for a size below 1 only
		c.by.Add(who, ports)
	}
	ports.Add(client, time.Now())
}

// knows tells whether a client has asked lately.
func (c *callers) knows(client netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ports, known := c.by.Peek(holder(client.Addr()))
	if !known {
		return false
	}
	at, known := ports.Peek(client)
	return known && time.Since(at) < callerLife
}
