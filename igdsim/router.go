package igdsim

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"peerlab/nat"
)

// Where a router answers. HTTP is where its maker likes: the search tells.
const (
	ssdpPort = 1900
	httpPort = 5000
)

// maxClients bounds the connections served at a time; more wait.
const maxClients = 64

// Group is where searches go; the Host has to have joined it to hear them.
var Group = netip.AddrFrom4([4]byte{239, 255, 255, 250})

// Host is the router's inside: a host of an emulated network, or of the
// loopback, where ports are others than asked for.
type Host interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Forwarder is the NAT of the router; *netsim.NAT is one.
type Forwarder interface {
	// External is the address outside.
	External() netip.Addr
	// Forward sends what comes to an outside port of "tcp" or "udp" to an
	// address inside, Unforward no more.
	Forward(proto string, external uint16, to netip.AddrPort) error
	Unforward(proto string, external uint16) bool
}

// Config says what router it is.
type Config struct {
	// Name is its friendlyName; it should say that it is simulated.
	Name string
	// Host and NAT are its two sides; required.
	Host Host
	NAT  Forwarder
	// OnlyPermanent refuses leases by UPnP, as a good many routers do (error 725).
	OnlyPermanent bool
	// OnChange, if not nil, hears of every line of the table that is made,
	// renewed or gone. It must not block or call the router.
	OnChange func(Change)
}

// Router is a router that is asked to map ports.
type Router struct {
	cfg   Config
	web   net.Listener
	ssdp  net.PacketConn
	pmp   net.PacketConn
	table *table
}

// New opens the sockets; Run answers on them.
func New(cfg Config) (*Router, error) {
	r := &Router{cfg: cfg, table: newTable(cfg)}
	var err error
	if r.web, err = cfg.Host.Listen("tcp", fmt.Sprintf(":%d", httpPort)); err != nil {
		return nil, fmt.Errorf("simulated router: %w", err)
	}
	if r.ssdp, err = cfg.Host.ListenPacket("udp", fmt.Sprintf(":%d", ssdpPort)); err != nil {
		r.web.Close()
		return nil, fmt.Errorf("simulated router: %w", err)
	}
	if r.pmp, err = cfg.Host.ListenPacket("udp", fmt.Sprintf(":%d", nat.PMPPort)); err != nil {
		r.web.Close()
		r.ssdp.Close()
		return nil, fmt.Errorf("simulated router: %w", err)
	}
	return r, nil
}

// Addresses are where it answers: to HTTP, to searches, and to NAT-PMP.
func (r *Router) Addresses() (web, ssdp, pmp net.Addr) {
	return r.web.Addr(), r.ssdp.LocalAddr(), r.pmp.LocalAddr()
}

// Run answers until ctx ends, then closes the sockets and returns nil.
func (r *Router) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: r.handler(), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		MaxHeaderBytes: 8 << 10, ErrorLog: log.New(discard{}, "", 0),
	}
	// What fails ends the others; the end of ctx ends all.
	all, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() {
		server.Close()
		r.web.Close()
		r.ssdp.Close()
		r.pmp.Close()
	})()
	all.Go(func() error { return closed(server.Serve(netutil.LimitListener(r.web, maxClients))) })
	all.Go(func() error { return closed(r.answerSearches()) })
	all.Go(func() error { return closed(r.answerPMP()) })
	all.Go(func() error { return r.table.expire(ctx) })
	return all.Wait()
}

// Restart forgets the table, as a router does that loses power. Its clients
// find out by themselves, or do not.
func (r *Router) Restart() { r.table.restart() }

// Table is the mappings now, by protocol and outside port.
func (r *Router) Table() []Entry { return r.table.all() }

// closed takes the end of a socket for the end that was wanted.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
