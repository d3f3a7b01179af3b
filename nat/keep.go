package nat

import (
	"context"
	"time"
)

// watcher tells whether a gateway is still the one our mappings were made in.
type watcher struct {
	gw     *Gateway
	uptime uint32
	turn   int // which slot to look at next
}

// changed asks the gateway: true if it restarted, has another address, or lost
// a mapping. One mapping is looked at each time: they get lost together.
func (w *watcher) changed(ctx context.Context, slots []*slot) (bool, error) {
	now, err := w.gw.ask(ctx)
	if err != nil {
		if isFault(err) { // it is there, and has its own mind about this question
			return false, nil
		}
		return false, err
	}
	changed := now.external != w.gw.External || now.uptime < w.uptime
	w.gw.External, w.gw.Connected, w.uptime = now.external, now.connected, now.uptime
	for range slots {
		s := slots[w.turn%len(slots)]
		w.turn++
		if s.gw != w.gw {
			continue
		}
		stands, err := s.standing(ctx)
		if err == nil && !stands {
			s.forget()
			changed = true
		}
		return changed, err
	}
	return changed, nil
}

// keep renews the mappings in a gateway until ctx ends or the gateway is gone.
func (m *Mapper) keep(ctx context.Context, gw *Gateway, slots []*slot) {
	w := &watcher{gw: gw}
	watch := wallNow() // at once, to learn the uptime
	for misses := 0; misses < maxMisses; {
		next := watch
		for _, s := range slots {
			if s.renew.Before(next) {
				next = s.renew
			}
		}
		pause(ctx, time.Until(next))
		if ctx.Err() != nil {
			return
		}
		now := wallNow()
		changed := false
		var err error
		if !now.Before(watch) {
			watch = now.Add(m.cfg.Watch)
			changed, err = w.changed(ctx, slots)
		}
		if err == nil {
			err = m.placeDue(ctx, gw, slots, func(s *slot) bool {
				if changed && !s.foreign {
					return true
				}
				return !now.Before(s.renew)
			})
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			misses++
			watch = now.Add(min(m.cfg.Watch, missPause))
			m.log.Debug("the gateway did not answer", "err", err, "misses", misses)
		} else {
			misses = 0
		}
		m.publishMapped(gw, slots, err)
	}
}
