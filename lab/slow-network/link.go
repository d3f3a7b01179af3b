package slownetwork

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
)

// link is one connection through Toxiproxy: a chain of toxics for each
// direction, of its own.
//
// Toxiproxy shares the chain between connections and changes it while they
// come and go. A toxic that is added after another one was removed from a
// connection that was just ending makes it index out of range, in a goroutine
// of its own: the process is gone. So here a chain has one connection, and
// nothing is added to it once its toxics are removed.
type link struct {
	toxics         *toxiproxy.ToxicCollection
	client, server net.Conn
	wrote          func() // a piece went to the client

	changing sync.Mutex // held while the chain is changed, which waits for its ends
	specs    []toxicSpec
	removed  bool

	mu     sync.Mutex // never held while waiting
	abort  bool       // close by a RST
	broke  bool
	open   int // directions
	broken chan struct{}
	ended  chan struct{}
}

// region link

// newLink joins two connections by two chains of toxics and lets the bytes
// flow. It ends by itself when one side does; wait has to be called.
func newLink(api *toxiproxy.ApiServer, client, server net.Conn, specs []toxicSpec, wrote func()) (*link, error) {
	proxy := toxiproxy.NewProxy(api, "lab", "", "") // never started: the connections are made already
	l := &link{
		toxics: proxy.Toxics, client: client, server: server, wrote: wrote,
		open: 2, broken: make(chan struct{}), ended: make(chan struct{}),
	}
	for _, spec := range specs {
		if err := l.add(spec); err != nil {
			return nil, err
		}
	}
	up, down := newWindow(), newWindow()
	l.toxics.StartLink(api, "upstream", &source{client, up}, &sink{link: l, to: server, window: up}, stream.Upstream)
	l.toxics.StartLink(api, "downstream", &source{server, down}, &sink{link: l, to: client, window: down, wrote: wrote}, stream.Downstream)
	return l, nil
}

// add appends a toxic to the chain, also while bytes flow.
func (l *link) add(spec toxicSpec) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("toxic %s: %w", spec.Name, err)
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.removed || l.toxics.GetToxic(spec.Name) != nil {
		return nil
	}
	l.mu.Lock()
	l.abort = l.abort || spec.Type == drained+"reset_peer"
	l.mu.Unlock()
	if _, err := l.toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("toxic %s: %w", spec.Name, err)
	}
	l.specs = append(l.specs, spec)
	return nil
}

// endregion

// remove takes all toxics out, which hand on what they hold: to the one behind
// them, which takes it at its own pace. So the last one goes first. Those that
// break off wait for the end of all that comes, so they go after the others.
func (l *link) remove() {
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.removed {
		return
	}
	l.removed = true
	for _, breaks := range []bool{false, true} {
		for _, s := range slices.Backward(l.specs) {
			if strings.HasPrefix(s.Type, drained) == breaks {
				_ = l.toxics.RemoveToxic(context.Background(), s.Name) // it is there
			}
		}
	}
}

// wait waits for the end of both directions. If ctx ends or the link breaks,
// what is still in the chains is hurried out.
func (l *link) wait(ctx context.Context) {
	select {
	case <-l.ended:
		return
	case <-ctx.Done():
		l.breakOff()
	case <-l.broken:
	}
	l.remove()
	<-l.ended
}

// breakOff closes both connections.
func (l *link) breakOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.broke {
		l.broke = true
		close(l.broken)
		l.client.Close()
		l.server.Close()
	}
}
