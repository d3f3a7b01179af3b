package slownetwork

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"peerlab/lab"
	"peerlab/trace"
)

// maxLinks is how many connections go through the proxy at a time.
const maxLinks = 16

// proxy is Toxiproxy between a listener and a server of the run.
//
// A Proxy of Toxiproxy would listen and dial by itself: without a limit, one
// dial after the other, each without a timeout. Here the run does both.
type proxy struct {
	run      *lab.Run
	host     *lab.Host
	api      *toxiproxy.ApiServer // makes the chains; it serves no HTTP
	slots    chan struct{}
	listener net.Listener

	mu     sync.Mutex
	specs  []toxicSpec // for the connections to come
	links  map[*link]struct{}
	down   bool
	pieces int
}

func newProxy(r *lab.Run, specs []toxicSpec) (*proxy, error) {
	host, err := r.Host("proxy")
	if err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return nil, err
	}
	return &proxy{
		run: r, host: host, listener: l, specs: specs,
		api:   toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		slots: make(chan struct{}, maxLinks), links: map[*link]struct{}{},
	}, nil
}

// region proxy

// serve accepts until the listener is closed.
func (p *proxy) serve(context.Context) error {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
		select {
		case p.slots <- struct{}{}:
			p.run.Go(func(ctx context.Context) error {
				defer func() { <-p.slots }()
				return p.carry(ctx, c)
			})
		default:
			c.Close()
		}
	}
}

// carry is the life of one connection.
func (p *proxy) carry(ctx context.Context, from net.Conn) error {
	defer from.Close()
	dialling, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	to, err := p.host.DialContext(dialling, "tcp", server+":80")
	if err != nil {
		return nil // the run is ending, or full
	}
	defer to.Close()
	l, err := p.join(from, to)
	if l == nil {
		return err
	}
	l.wait(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	return nil
}

// endregion

// join makes the link of two connections; nil while the proxy is down.
func (p *proxy) join(from, to net.Conn) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, nil
	}
	l, err := newLink(p.api, from, to, p.specs, p.wrote)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p.links[l] = struct{}{}
	p.run.Message(trace.TCP, "proxy", server, "connected", "for "+who(p.run, from))
	return l, nil
}

func (p *proxy) wrote() {
	p.mu.Lock()
	p.pieces++
	p.mu.Unlock()
}

// state shows which toxics new connections get.
func (p *proxy) stateLocked() {
	for _, stream := range []string{"upstream", "downstream"} {
		text := ""
		for _, s := range p.specs {
			if s.Stream == stream {
				text += " " + s.String()
			}
		}
		if text == "" {
			text = " none"
		}
		p.run.State(trace.TCP, "proxy", "toxics "+stream, text[1:])
	}
}

// add puts a toxic into force, for the connections there are and those to
// come. Connections whose toxics were removed stay without.
func (p *proxy) add(spec toxicSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.specs {
		if s.Name == spec.Name {
			return
		}
	}
	p.specs = append(p.specs[:len(p.specs):len(p.specs)], spec)
	p.stateLocked()
	for l := range p.links {
		p.run.Go(func(context.Context) error { return l.add(spec) }) // waits for the chain to hold still
	}
}

// remove takes all toxics out of force.
func (p *proxy) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.specs = nil
	p.stateLocked()
	for l := range p.links {
		p.run.Go(func(context.Context) error { l.remove(); return nil })
	}
}

// cut closes all connections and takes no more until mend. It returns how
// many there were.
func (p *proxy) cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	p.run.State(trace.TCP, "proxy", "cut", "yes")
	for l := range p.links {
		l.breakOff()
	}
	return len(p.links)
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
	p.run.State(trace.TCP, "proxy", "cut", "")
}

// who is the lane of the other end of a connection: a host of the run, or
// somebody from outside.
func who(r *lab.Run, c net.Conn) string {
	if name := r.HostOf(c.RemoteAddr()); name != "" {
		return name
	}
	return "visitor"
}
