package slownetwork

import (
	"context"
	"fmt"
	"time"

	"peerlab/netsim"
)

// outage is how long a cut lasts.
const outage = time.Second

// act does what people ask for, until the run ends.
func (ws *ways) act(ctx context.Context) error {
	var proxy *proxy
	var line *netsim.Net
	for _, w := range ws.list {
		if w.proxy != nil {
			proxy = w.proxy
		}
		if w.name == emulated {
			line = w.run.Net()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-ws.run.Actions():
			switch name {
			case "again":
				ws.run.Go(ws.download)
			case "add-timeout":
				proxy.add(breaking("timeout", ws.p.After))
			case "add-reset":
				proxy.add(breaking("reset_peer", ws.p.After))
			case "remove-toxics":
				proxy.remove()
			case "cut":
				ws.run.Go(func(ctx context.Context) error { return ws.cut(ctx, proxy, line) })
			}
		}
	}
}

// cut interrupts what can be interrupted, for a while; while it is, another
// cut changes nothing.
func (ws *ways) cut(ctx context.Context, p *proxy, line *netsim.Net) error {
	if !ws.begin(&ws.dead) {
		return nil
	}
	defer ws.end(&ws.dead)
	link := line.Link()
	dead := link
	dead.Loss = 1
	if err := line.Set(dead); err != nil {
		return fmt.Errorf("cut the link: %w", err)
	}
	n := p.cut()
	ws.run.Note("Cut: toxiproxy closed %d connections, and the peers know. The link is silent, and nobody knows.", n)
	if ws.run.Sleep(ctx, outage) != nil {
		return nil
	}
	p.mend()
	if err := line.Set(link); err != nil {
		return fmt.Errorf("mend the link: %w", err)
	}
	ws.run.Note("Mended. A client of toxiproxy has to connect anew; on the link TCP sends again what is missing, when its timer tells it to.")
	return nil
}
