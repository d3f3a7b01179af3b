package latency

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"sync"

	"peerlab/lab"
	"peerlab/trace"
)

// dialer connects the client of a run and numbers the connections.
type dialer struct {
	run    *lab.Run
	client *lab.Host
	names  *net.Resolver // nil: the outside dialer looks names up itself

	mu    sync.Mutex
	count int
}

// DialContext is for an http.Transport.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dial := d.dialOwn
	if d.names == nil {
		dial = d.client.DialContext
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.count++
	n := &numbered{Conn: c, number: d.count}
	d.mu.Unlock()
	d.run.State(trace.TCP, "client", "connection "+strconv.Itoa(n.number), c.LocalAddr().String()+" to "+c.RemoteAddr().String())
	return n, nil
}

// opened counts the connections so far.
func (d *dialer) opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// region dial

// dialOwn looks the name up and connects. Package net tells the hooks about
// the lookup by itself; the sockets of an emulated link know no hooks, so those
// of the connection are called here, on both networks alike.
func (d *dialer) dialOwn(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", service, err)
	}
	addrs, err := d.names.LookupNetIP(ctx, "ip4", host+".") // rooted: no search list
	if err != nil {
		return nil, err
	}
	to := netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)).String()
	hooks := httptrace.ContextClientTrace(ctx)
	if hooks == nil {
		return d.client.DialContext(ctx, network, to)
	}
	hooks.ConnectStart(network, to)
	c, err := d.client.DialContext(quiet{ctx}, network, to)
	hooks.ConnectDone(network, to, err)
	return c, err
}

// endregion

// quiet is a context without its values, and so without hooks.
type quiet struct{ context.Context }

func (quiet) Value(any) any { return nil }

// numbered is a connection that can be told from others.
type numbered struct {
	net.Conn
	number int
}

// names is a resolver of package net that asks the run's own name server.
func names(client *lab.Host) *net.Resolver {
	return &net.Resolver{
		PreferGo: true, // or Dial is not asked
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := client.DialContext(quiet{ctx}, "udp", "resolver:53")
			if err != nil {
				return nil, err
			}
			return datagrams{c}, nil
		},
	}
}

// datagrams tells package net that it is to send each message as a datagram:
// it looks for a net.PacketConn, and uses it as a net.Conn all the same.
type datagrams struct{ net.Conn }

func (d datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := d.Read(p)
	return n, d.RemoteAddr(), err
}

func (d datagrams) WriteTo(p []byte, to net.Addr) (int, error) {
	return 0, errors.ErrUnsupported
}

var _ net.PacketConn = datagrams{}
