package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun"
)

// hairpin is whether two sockets of the inside reach each other by their outside
// addresses.
type hairpin struct {
	tried bool // both addresses are known
	heard bool
}

// askHairpin lets two sockets, each of which a server has seen, send to where the
// other was seen. Both send, as a filter lets in only who was written to.
func (d *discoverer) askHairpin(ctx context.Context, server netip.AddrPort) (h hairpin) {
	var mapped [2]netip.AddrPort
	for i, s := range d.hairpins {
		t := d.ask(ctx, question{name: fmt.Sprintf("hairpin, address of socket %d", i+1), from: s, to: server})
		if !t.Answered() || t.Mapped.Port() == s.port() && isOwn(t.Mapped.Addr(), ownAddresses(addrPortOf(s.conn.LocalAddr()).Addr())) {
			return h // unknown, or nothing to come back from
		}
		mapped[i] = t.Mapped
	}
	h.tried = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	var heard [2]bool
	for i := range d.hairpins {
		both.Go(func() {
			if heard[i] = d.send(ctx, i, mapped[1-i]); heard[i] {
				cancel() // once is enough
			}
		})
	}
	both.Wait()
	h.heard = heard[0] || heard[1]
	return h
}

// send sends from one socket to where the other was seen, and tells whether it
// was heard there.
func (d *discoverer) send(ctx context.Context, i int, to netip.AddrPort) bool {
	name := fmt.Sprintf("hairpin, from socket %d to socket %d", i+1, 2-i)
	t := Test{Name: name, Asked: to}
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return false // a request without attributes can be built
	}
	end := d.cfg.Watch(name)
	begin := time.Now()
	sent, err := exchange(ctx, d.hairpins[i], []*socket{d.hairpins[1-i]}, to, request, d.pace, func(got datagram) bool {
		t.From = got.from
		return true
	})
	t.Took, t.Sent = time.Since(begin), sent.count
	switch {
	case errors.Is(err, errSilence):
		t.Error = "not heard"
	case ctx.Err() != nil && !t.Answered():
		t.Error = "not waited for any longer"
	case err != nil:
		t.Error = err.Error()
	}
	d.keep(t)
	end(t)
	return t.Answered()
}
